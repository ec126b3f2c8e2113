/** Claims of FPQ, arXiv:2503.11159v1, in a form that runs can test. Sizes are computed from the published cells. */
import { bitsTitle, W2A2, W2A4, W4A4 } from "../../src/catalog/bits.ts";
import { datasetTitle, modelTitle } from "../../src/catalog/titles.ts";
import type { Claim, PublishedCell } from "../../src/catalog/paper.ts";
import { networkFor } from "../networks.ts";
import { PUBLISHED } from "./published.ts";

const ARXIV = "arXiv:2503.11159v1";

const NAMES: Readonly<Record<string, string>> = {
  fpq: "FPQ",
  fpq_sfp: "SFP alone",
  fpq_csd: "CSD alone",
  fpq_p1: "FPQ at p = 1",
  lsq: "LSQ",
  lsq_sam: "LSQ + SAM",
};

/** Networks of Tables 4 and 5. */
const NETWORKS = ["resnet18", "resnet50", "mobilenetv1", "mobilenetv2"] as const;

type Place = Pick<PublishedCell, "dataset" | "model" | "weightBits" | "activationBits">;

function published(arm: string, place: Place): PublishedCell {
  const cell = PUBLISHED.find((other) =>
    other.arm === arm && other.dataset === place.dataset && other.model === place.model &&
    other.weightBits === place.weightBits && other.activationBits === place.activationBits
  );
  if (cell === undefined) {
    throw new RangeError(`Cannot state a claim as ${arm} has no published cell for ${place.model}`);
  }
  return cell;
}

/** Makes a claim of the difference of two published cells: above, or below where the tables have it so. */
function comparison([arm, baseline]: readonly [string, string], place: Place): Claim {
  const own = published(arm, place), other = published(baseline, place);
  // both have two decimals: so has their difference
  const difference = Math.round(100 * (own.top1Percent! - other.top1Percent!)) / 100;
  const where = `at ${bitsTitle(place)} on ${modelTitle(place.model)}, ${datasetTitle(place.dataset)}`;
  return {
    id: [arm, baseline, place.dataset, place.model, bitsTitle(place).toLowerCase()].join("-"),
    statement: difference > 0
      ? `${NAMES[arm]} beats ${NAMES[baseline]} ${where}, by ${difference.toFixed(2)}`
      : `${NAMES[arm]} is ${(-difference).toFixed(2)} below ${NAMES[baseline]} ${where}`,
    source: own.source === other.source ? own.source : `${own.source} less ${other.source.split(", ")[1]}`,
    quantity: { kind: "top1" },
    arm,
    baseline,
    relation: difference > 0 ? "above" : "below",
    dataset: place.dataset,
    models: [networkFor(place.model, place.dataset)],
    bits: [{ weights: place.weightBits!, activations: place.activationBits! }],
    published: difference,
    open: null,
  };
}

/** FPQ against LSQ in every cell of Tables 4 and 5. */
const OVER_LSQ = PUBLISHED.filter(({ arm, table }) => arm === "fpq" && ["table4", "table5"].includes(table))
  .map((cell) => comparison(["fpq", "lsq"], cell));

const RESNET18_W2A4 = { dataset: "cifar10", model: "resnet18", weightBits: 2, activationBits: 4 } as const;

/** Tables 2 and 3: each part gains over LSQ, both together over each, and p = 0.1 over p = 1. */
const PARTS = ([
  ["fpq_sfp", "lsq"],
  ["fpq_csd", "lsq"],
  ["fpq", "fpq_sfp"],
  ["fpq", "fpq_csd"],
  ["fpq", "fpq_p1"],
] as const).map((arms) => comparison(arms, RESNET18_W2A4));

/** Table 1 beside Table 4: SAM gains over LSQ, FPQ over both. */
const OVER_SAM = (["resnet18", "mobilenetv2"] as const).flatMap((model) => {
  const place = { dataset: "cifar10", model, weightBits: 4, activationBits: 4 };
  return [comparison(["lsq_sam", "lsq"], place), comparison(["fpq", "lsq_sam"], place)];
});

/** The text's "about 1-3 %", of which the lower end is tested. */
const TEXT_GAIN = (["cifar10", "cifar100"] as const).map((dataset): Claim => ({
  id: `fpq-text-${dataset}-w2a2`,
  statement: `FPQ gains about 1 to 3 points over LSQ at W2A2 on every network, ${datasetTitle(dataset)}`,
  source: `${ARXIV}, text on Tables 4 and 5`,
  quantity: { kind: "top1" },
  arm: "fpq",
  baseline: "lsq",
  relation: "above",
  dataset,
  models: NETWORKS.map((name) => networkFor(name, dataset)),
  bits: [W2A2],
  published: 1,
  open: null,
}));

/** The abstract's "even the FP counterparts", where the tables show it or the contrary: Table 4 at its widest bits. */
const OVER_FP = NETWORKS.map((model): Claim => {
  const place = { dataset: "cifar10", model, weightBits: 4, activationBits: 4 };
  const own = published("fpq", place);
  const fp = published("fp", { ...place, weightBits: null, activationBits: null });
  const difference = Math.round(100 * (own.top1Percent! - fp.top1Percent!)) / 100;
  const size = Math.abs(difference).toFixed(2), where = `at W4A4 on ${modelTitle(model)}, CIFAR-10`;
  return {
    id: `fpq-fp-cifar10-${model}-w4a4`,
    statement: difference > 0
      ? `FPQ beats full precision ${where}, by ${size} (abstract: "even the FP counterparts")`
      : `FPQ is ${size} below full precision ${where} (against the abstract's "even the FP counterparts")`,
    source: `${ARXIV}, Table 4`,
    quantity: { kind: "top1" },
    arm: "fpq",
    baseline: "own_fp",
    relation: difference > 0 ? "above" : "below",
    dataset: "cifar10",
    models: [networkFor(model, "cifar10")],
    bits: [W4A4],
    published: difference,
    open: null,
  };
});

const FLATTER: Claim = {
  id: "fpq-hessian-trace",
  statement: "FPQ's Hessian trace is lower than LSQ's",
  source: `${ARXIV}, Figure 5`,
  quantity: { kind: "measurement", name: "hessian_trace", quantity: "Tr H" },
  arm: "fpq",
  baseline: "lsq",
  relation: "below",
  dataset: "cifar10",
  models: ["resnet18", "mobilenetv2"].map((name) => networkFor(name, "cifar10")),
  bits: [W4A4, W2A4, W2A2],
  published: null,
  open: "width, images and estimator of the figure are not known to us",
};

/** In the order of the page. */
export const CLAIMS: readonly Claim[] = [...OVER_LSQ, ...TEXT_GAIN, ...OVER_FP, FLATTER, ...PARTS, ...OVER_SAM];
