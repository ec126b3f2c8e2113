"""The objectives of step.py: `loss` is what may be compiled, `before` and `after` run around each step."""
import copy

import torch
import torch.nn.functional as F

from networks import Conv


class Plain:
    """Cross-entropy: full precision and LSQ."""

    def __init__(self, net, work, make_teacher, compiled):
        self.net, self.inputs, self.options = net, work["inputs"], work["options"]

    def before(self, timed):
        pass

    def loss(self, views, labels):
        logits = self.net(views[0])
        return F.cross_entropy(logits, labels), logits

    def after(self):
        pass


class Fpq(Plain):
    """FPQ (arXiv:2503.11159, Eq. 14-17, 22). SFP is off in the steps whose losses are compared: noise cannot agree."""

    def __init__(self, net, work, make_teacher, compiled):
        super().__init__(net, work, make_teacher, compiled)
        self.teacher, self.ours, self.theirs = make_teacher(), [], []
        self.convs = [module for module in net.modules() if isinstance(module, Conv)]
        self.active = torch.zeros(len(self.convs))
        for index, conv in enumerate(self.convs):
            conv.perturb = lambda x, step, index=index: self.perturbed(x, step * self.active[index])
            conv.seen = self.ours
        self.compiled = compiled
        for module in self.teacher.modules():
            if isinstance(module, Conv):
                module.seen = self.theirs

    def perturbed(self, x, amount):
        # compiled: a mask and not an `if`, so that one compiled step serves every draw
        if not self.compiled and amount == 0:
            return x
        return x + (torch.rand_like(x) - 0.5) * amount

    def before(self, timed):
        if timed:
            self.active.copy_(torch.rand(len(self.convs)) < self.options["probability"])

    def loss(self, views, labels):
        self.ours.clear()
        self.theirs.clear()
        loss, logits = super().loss(views, labels)
        with torch.no_grad():
            self.teacher(views[0])
        standard = lambda z: F.batch_norm(z, None, None, training=True, eps=1e-5)
        distances = [(standard(a) - standard(b)).square().mean() for a, b in zip(self.ours, self.theirs)]
        return loss + self.options["csdWeight"] * sum(distances) / len(distances), logits


class Cr(Plain):
    """CR-like: KL to an averaged teacher on the second view, in inference mode."""

    def __init__(self, net, work, make_teacher, compiled):
        super().__init__(net, work, make_teacher, compiled)
        self.teacher = copy.deepcopy(net).requires_grad_(False).eval()
        pairs = [pair for pair in zip(self.teacher.state_dict().values(), net.state_dict().values())]
        self.averaged = [a for a, _ in pairs if a.is_floating_point()]
        self.current = [b for _, b in pairs if b.is_floating_point()]

    def loss(self, views, labels):
        loss, logits = super().loss(views, labels)
        with torch.no_grad():
            target = F.log_softmax(self.teacher(views[1]), 1)
        consistency = F.kl_div(F.log_softmax(logits, 1), target, reduction="batchmean", log_target=True)
        return loss + self.inputs["crWeight"][0] * consistency, logits

    def after(self):
        torch._foreach_lerp_(self.averaged, self.current, 1 - self.inputs["crAlpha"][0])


class Mec(Plain):
    """MEC, the reconstruction: coding length of the pooled features, experts over channels."""

    def __init__(self, net, work, make_teacher, compiled):
        super().__init__(net, work, make_teacher, compiled)
        self.scale = torch.zeros(net.classifier.in_features)

    def loss(self, views, labels):
        loss, logits = super().loss(views, labels)
        z, experts, eps = self.net.features, self.options["experts"], self.options["distortion"]
        m, d = z.shape
        order = torch.argsort(self.scale, descending=True, stable=True)
        blocks = F.normalize(z[:, order].reshape(m, experts, d // experts).permute(1, 0, 2), dim=2)
        gram = torch.eye(d // experts) + blocks.transpose(1, 2) @ blocks / (m * eps)
        length = (eps * torch.linalg.slogdet(gram).logabsdet).mean()
        self.batch_scale = z.detach().abs().mean(0)
        return loss - self.inputs["mecBeta"][0] * length, logits

    def after(self):
        self.scale.lerp_(self.batch_scale, 0.1)


OBJECTIVES = {"fp": Plain, "qat": Plain, "fpq": Fpq, "cr": Cr, "mec": Mec}
