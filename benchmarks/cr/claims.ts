/** What CR, arXiv:2402.13497, claims, in a form that runs can test. Only abstracts and summaries are known. */
import type { Claim } from "../../src/catalog/paper.ts";
import { CR_LSQ_PLUS, CR_PACT, PARTLY_LABELLED } from "./arms.ts";
import { CR_BITS, PUBLISHED_DIFFERENCES, W2A2, W4A4 } from "./published.ts";

const V1 = "arXiv:2402.13497v1, abstract";

const TOP1 = {
  dataset: "cifar10",
  quantity: { kind: "top1" },
  relation: "above",
  published: null,
} as const;

/** Of the stated differences: where "MobileNet" has no version, both are tested. */
const MODELS: Readonly<Record<string, readonly string[]>> = { mobilenet: ["mobilenetv1", "mobilenetv2"] };

/** "Toward": not more than this below, our reading. */
const REACHED_POINTS = 0.5;

const STATED = PUBLISHED_DIFFERENCES.map(({ model, differencePoints, source, reason }): Claim => ({
  ...TOP1,
  id: `cr-${model}`,
  statement: `CR gains ${differencePoints} points over "the baseline method" on ${
    model === "resnet18" ? "ResNet-18" : "MobileNet"
  } (tested against LSQ)`,
  source,
  arm: "cr",
  baseline: "lsq",
  models: MODELS[model] ?? [model],
  bits: CR_BITS,
  published: differencePoints,
  open: reason,
}));

/** In the order of the page. */
export const CLAIMS: readonly Claim[] = [
  ...STATED,
  {
    ...TOP1,
    id: "cr-beats-fp",
    statement: "CR even surpasses full precision",
    source: V1,
    arm: "cr",
    baseline: "own_fp",
    models: [],
    bits: CR_BITS,
    open: "networks and bits of this claim are not given",
  },
  {
    ...TOP1,
    id: "cr-reaches-fp",
    statement: "CR reaches full precision (read as: at most 0.50 points below)",
    source: "arXiv:2402.13497v1, title",
    arm: "cr",
    baseline: "own_fp",
    relation: "at_least",
    margin: REACHED_POINTS,
    models: [],
    bits: CR_BITS,
    open: "networks and bits of this claim are not given",
  },
  ...([[CR_PACT.id, "pact", "PACT"], [CR_LSQ_PLUS.id, "lsq_plus", "LSQ+"]] as const).map(([arm, baseline, name]) => ({
    ...TOP1,
    id: `cr-on-${baseline}`,
    statement: `CR works with several methods of quantization-aware training: on ${name} it is above ${name} alone`,
    source: V1,
    arm,
    baseline,
    models: [],
    bits: [W4A4, W2A2],
    open: "which methods is not given",
  })),
  ...PARTLY_LABELLED.map(({ lsq, cr }) => ({
    ...TOP1,
    id: cr.id.replaceAll("_", "-"),
    statement: `Unlabelled images of the same distribution help: ${cr.title}, is above ${lsq.title}`,
    source: `${V1}, by implication; machine-written summaries`,
    arm: cr.id,
    baseline: lsq.id,
    models: [],
    bits: [W2A2],
    open: "shares of labels and results are not given",
  })),
  {
    id: "cr-flatter",
    statement: "CR leads to a flatter minimum than LSQ (read as: a lower Hessian trace)",
    source: "arXiv:2402.13497v2, index terms; a machine-written summary",
    dataset: "cifar10",
    quantity: { kind: "measurement", name: "hessian_trace", quantity: "Tr H" },
    arm: "cr",
    baseline: "lsq",
    relation: "below",
    models: [],
    bits: CR_BITS,
    published: null,
    open: "the measure of flatness is not known to us",
  },
];
