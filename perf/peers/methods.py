"""
The objectives of step.py: `loss` is what may be compiled, `before` and `after` run around each step, and `images` gives
the first view for what runs outside of it.
"""
import copy
import random

import torch
import torch.nn.functional as F

from networks import Conv


class Plain:
    """Cross-entropy: full precision and LSQ."""

    def __init__(self, net, work, make_teacher, images, compiler):
        self.net, self.inputs, self.options = net, work["inputs"], work["options"]

    def before(self, timed):
        pass

    def loss(self, views, labels):
        logits = self.net(views[0])
        return F.cross_entropy(logits, labels), logits

    def after(self):
        pass


def take_outputs(convs):
    outputs = [conv.output for conv in convs]
    for conv in convs:
        conv.output = None
    return outputs


class Fpq(Plain):
    """
    FPQ (arXiv:2503.11159, Eq. 14-17, 22). SFP is off in the steps whose losses are compared: noise cannot agree.

    The teacher's pass comes before the student's; compiled, it is a graph of its own, so that the student's, which has a
    backward pass, stays small. Noise is drawn before the step, for the layers whose turn it is. Compiled, the others have
    zeros, so that one compiled step serves every draw; eager, they have none.
    """

    def __init__(self, net, work, make_teacher, images, compiler):
        super().__init__(net, work, make_teacher, images, compiler)
        self.teacher, self.images, self.compiled = make_teacher(), images, compiler is not None
        self.convs, self.theirs = ([m for m in n.modules() if isinstance(m, Conv)] for n in (net, self.teacher))
        shapes = {}
        hooks = [conv.register_forward_pre_hook(lambda conv, inputs: shapes.update({conv: inputs[0].shape}))
                 for conv in self.theirs]
        with torch.no_grad():
            self.teacher(images())
        for hook in hooks:
            hook.remove()
        self.shapes = [shapes[conv] for conv in self.theirs]
        self.active = [False] * len(self.convs)
        for conv in self.convs + self.theirs:
            conv.kept = True
        if compiler:
            self.teach = torch.compile(self.teach, **compiler)
            for conv, shape in zip(self.convs, self.shapes):
                conv.noise = torch.zeros(shape).contiguous(memory_format=torch.channels_last)

    def teach(self, images):
        with torch.no_grad():
            self.teacher(images)
        return take_outputs(self.theirs)

    def before(self, timed):
        self.targets = self.teach(self.images())
        active = [timed and random.random() < self.options["probability"] for _ in self.convs]
        for conv, shape, now, last in zip(self.convs, self.shapes, active, self.active):
            if now:
                noise = conv.noise if self.compiled else torch.empty(shape, memory_format=torch.channels_last)
                conv.noise = noise.uniform_(-0.5, 0.5)
            elif last:
                conv.noise = conv.noise.zero_() if self.compiled else None
        self.active = active

    def loss(self, views, labels):
        loss, logits = super().loss(views, labels)
        standard = lambda z: F.batch_norm(z, None, None, training=True, eps=1e-5)
        distances = [(standard(output) - standard(target)).square().mean()
                     for output, target in zip(take_outputs(self.convs), self.targets)]
        self.targets = None
        return loss + self.options["csdWeight"] * torch.stack(distances).mean(), logits


class Cr(Plain):
    """CR-like: KL to an averaged teacher on the second view, in inference mode."""

    def __init__(self, net, work, make_teacher, images, compiler):
        super().__init__(net, work, make_teacher, images, compiler)
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

    def __init__(self, net, work, make_teacher, images, compiler):
        super().__init__(net, work, make_teacher, images, compiler)
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
