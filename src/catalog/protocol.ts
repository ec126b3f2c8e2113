import type { ProtocolName, RunSpec } from "../record/spec.ts";
import type { Bits } from "./bits.ts";

/** Options that `deno task dev:tune` chooses: FPQ's weight of CSD, CR's of the consistency, MEC's of the coding length. */
export type TunedOption = "csdWeight" | "weight" | "beta";

/** Size and recipe of the runs. Everything here that differs from a paper's is printed as a deviation. */
export interface Protocol {
  readonly name: ProtocolName;
  readonly seeds: readonly number[];
  /** Models in place of the table's; null: the paper's own. */
  readonly models: readonly string[] | null;
  /** Bits that are run, of those that a table has; null: all. */
  readonly bits: readonly Bits[] | null;
  /** Data sets whose tables are run; others only if `--table` names them. Left out: all. */
  readonly datasets?: readonly string[];
  readonly dataset: Omit<RunSpec["dataset"], "name">;
  readonly fullPrecision: RunSpec["recipe"];
  readonly quantized: RunSpec["recipe"];
  /** Values that were chosen on held-out images, by option; left out: the arms' own values. */
  readonly chosen?: Readonly<Record<TunedOption, number>>;
  readonly calibrationExamples: number;
  /** Sentences that are printed under every table of this protocol. */
  readonly deviations: readonly string[];
}
