/** Published numbers of ResNet-20 on CIFAR-10, top-1 in percent. Each table is one source, with its own full precision. */
import type { PublishedCell } from "../../src/catalog/paper.ts";

/** Bits, then the number; null: full precision. */
type Row = readonly [arm: string, bits: number | null, top1Percent: number];

function cells(table: string, source: string, rows: readonly Row[]): PublishedCell[] {
  return rows.map(([arm, bits, top1Percent]) => ({
    table,
    dataset: "cifar10",
    model: "resnet20",
    arm,
    weightBits: bits,
    activationBits: bits,
    top1Percent,
    source,
    reason: null,
  }));
}

/** A user's report of LSQ: full precision 160 epochs, then 90 epochs of LSQ. */
const LSQ_REPORT = cells("known-lsq", "github.com/hustzxd/LSQuantization, issue 2", [
  ["fp", null, 91.8],
  ["lsq", 2, 90.2],
]);

const PACT = cells("known-pact", "arXiv:1805.06085", [
  ["fp", null, 91.6],
  ["pact", 4, 91.3],
  ["pact", 3, 91.1],
  ["pact", 2, 89.7],
  ["dorefa", 4, 90.5],
  ["dorefa", 3, 89.9],
  ["dorefa", 2, 88.2],
]);

const HE = cells("known-fp", "arXiv:1512.03385", [["fp", null, 91.25]]);

const APOT = cells("known-apot", "code of APoT, arXiv:1909.13144", [["fp", null, 92.96]]);

export const PUBLISHED: readonly PublishedCell[] = [...LSQ_REPORT, ...PACT, ...HE, ...APOT];
