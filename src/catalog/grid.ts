import type { PaperPage } from "./paper.ts";
import type { ProtocolName, RunSpec } from "../record/spec.ts";

/** Weight and activation bits of one column of a table; null: full precision. */
export interface Bits {
  readonly weights: number;
  readonly activations: number;
}

/** Options that `deno task tune` chooses: FPQ's weight of CSD, CR's of the consistency, MEC's of the coding length. */
export type TunedOption = "csdWeight" | "weight" | "beta";

/** One method with its options: a row of a table, and the `arm` of its runs. */
export interface Arm {
  readonly id: string;
  readonly method: RunSpec["method"];
  /** Null: full precision. */
  readonly quantizer: string | null;
  /** Whether it starts from the full-precision run of the same seed; in full precision too it then has the quantized recipe. */
  readonly fromTeacher: boolean;
  /**
   * Which full-precision arm that is.
   * @default FP of arms.ts
   */
  readonly start?: Arm;
  /**
   * The option of the method that a protocol may choose in place of the arm's own value, which is the default of its kind; left
   * out: none, as where the arm is about that very option.
   */
  readonly tuned?: TunedOption;
  /** Share of the training images of which the label is used; left out: all. */
  readonly labelledFraction?: number;
}

/** What the runs of a table have in place of what their protocol says: in every protocol, full precision and quantized. */
export interface GridChanges {
  readonly dataset?: Partial<Pick<Protocol["dataset"], "trainExamples" | "heldOut" | "testExamples">>;
  readonly recipe?: Partial<Omit<RunSpec["recipe"], "version">>;
}

/** A table of a paper as a grid of runs. */
export interface TableGrid {
  readonly id: string;
  readonly dataset: string;
  readonly models: readonly string[];
  readonly arms: readonly Arm[];
  readonly bits: readonly Bits[];
  /**
   * For a data set that is too small for the protocols, or a recipe of its own; printed among the page's deviations. Tables on
   * one data set share runs, so they must have the same.
   * @default none
   */
  readonly changes?: GridChanges;
}

/** What a protocol makes of the recipe: everything here that differs from the paper's is printed as a deviation. */
export interface Protocol {
  readonly name: ProtocolName;
  readonly seeds: readonly number[];
  /** Replaces the table's models (null: the paper's own). */
  readonly models: readonly string[] | null;
  /** Replaces the table's bits (null: the paper's own). */
  readonly bits: readonly Bits[] | null;
  /** Tables on other data sets are run only where `--table` asks for them; left out: all are run. */
  readonly datasets?: readonly string[];
  readonly dataset: Omit<RunSpec["dataset"], "name">;
  readonly fullPrecision: RunSpec["recipe"];
  readonly quantized: RunSpec["recipe"];
  /** What was chosen on held-out images, by option; left out: the arms' own values. */
  readonly chosen?: Readonly<Record<TunedOption, number>>;
  readonly calibrationExamples: number;
  /** In words, printed under every table of this protocol. */
  readonly deviations: readonly string[];
}

/** A paper: its page and its grids. One folder under `benchmarks/` and one line in `benchmarks/mod.ts`. */
export interface Paper {
  readonly id: string;
  readonly page: PaperPage;
  readonly grids: readonly TableGrid[];
}
