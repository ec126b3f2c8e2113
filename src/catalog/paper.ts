/**
 * A paper as plain data: its tables, the arms in them, and its published numbers. Planning makes runs of it, reporting
 * compares them with it. Papers are filled in under `benchmarks/<paper>/`.
 */
import { baseOf, type BaseProtocol, type ProtocolLabel, type ProtocolName, type RunSpec } from "../record/spec.ts";
import type { Bits } from "./bits.ts";
import type { Protocol, TunedOption } from "./protocol.ts";

/** A row of a table: one method with its options, on one quantizer. Its id is the `arm` of its runs. */
export interface Arm {
  readonly id: string;
  readonly title: string;
  /** `reconstruction` or `stand-in`: printed beside the arm's numbers; null: built from the full paper. */
  readonly label: "reconstruction" | "stand-in" | null;
  /**
   * Ids of arms that have a part of this one (its quantizer, its second view, its averaging, its base), in the order of the
   * columns: a gain counts only against each of them too. Left out: none.
   */
  readonly controls?: readonly string[];
  readonly method: RunSpec["method"];
  /** Null: full precision. */
  readonly quantizer: string | null;
  /** Full-precision arm whose run of the same seed it starts from; null: random weights. */
  readonly start: Arm | null;
  /**
   * The option of the method that a protocol may choose in place of the arm's own value, which is the default of its kind.
   * Left out: none, as where the arm is about that very option.
   */
  readonly tuned?: TunedOption;
  /** Share of the training images whose label is used; left out: all. */
  readonly labelledFraction?: number;
  /** True: run only where `start` is an imported network. Left out: whatever it starts from. */
  readonly needsImport?: true;
  /** Values in place of those of the protocol's recipe; left out: none. */
  readonly recipe?: Partial<Omit<RunSpec["recipe"], "version">>;
}

/** All that a report needs of an arm. Rows of other tools have no more. */
export type ArmTitle = Pick<Arm, "id" | "title" | "label" | "controls">;

/** Values that the runs of a table have in place of their protocol's, in full precision and quantized. */
export interface TableChanges {
  readonly dataset?: Partial<Pick<Protocol["dataset"], "trainExamples" | "heldOut" | "testExamples">>;
  readonly recipe?: Partial<Omit<RunSpec["recipe"], "version">>;
}

/** A table of a paper: every arm on every model at every pair of bits. */
export interface Table<Row extends ArmTitle = Arm> {
  readonly id: string;
  readonly title: string;
  readonly dataset: string;
  /** Models of protocol paper. */
  readonly models: readonly string[];
  /** Model that stands for a network of the published cells, by its name there; left out: the one of that name. */
  readonly networks?: Readonly<Record<string, string>>;
  /** Bits of the quantized arms. */
  readonly bits: readonly Bits[];
  readonly arms: readonly Row[];
  /**
   * For a data set that is too small for the protocols, or a recipe of its own; printed among the paper's deviations. Tables
   * on one data set share runs, so they must have the same.
   * @default none
   */
  readonly changes?: TableChanges;
  /** Protocols of its runs, the one of the published numbers first; left out: all, first `paper`. */
  readonly protocols?: readonly BaseProtocol[];
  /** True where the paper's models are not known to us, so that no run can be of another one. */
  readonly modelsAreUnknown?: true;
}

/** The model whose runs stand for a published cell of the table. */
export function modelFor({ networks = {} }: Pick<Table, "networks">, { model }: Pick<PublishedCell, "model">): string {
  return Object.hasOwn(networks, model) ? networks[model]! : model;
}

/** A row of a table, whatever its protocol. Null bits: full precision. */
export interface RowKey {
  readonly dataset: string;
  readonly model: string;
  readonly arm: string;
  readonly weightBits: number | null;
  readonly activationBits: number | null;
}

/** True if runs of this row fill a cell of the table. Any model may. */
export function isInTable(
  table: Table<ArmTitle>,
  { protocol, dataset, arm, weightBits, activationBits }: Omit<RowKey, "model"> & { readonly protocol: ProtocolLabel },
): boolean {
  if (table.protocols?.includes(baseOf(protocol) as BaseProtocol) === false) return false;
  if (dataset !== table.dataset || !table.arms.some(({ id }) => id === arm)) return false;
  return weightBits === null ||
    table.bits.some(({ weights, activations }) => weights === weightBits && activations === activationBits);
}

/** One published number, or the statement that it is unknown. */
export interface PublishedCell {
  /** Id of the paper's table, such as `table4` or `mec-bits`. */
  readonly table: string;
  readonly dataset: string;
  /** Network as the paper names it, such as `resnet18`; the table says which model stands for it. */
  readonly model: string;
  /** Arm id, such as `lsq`, `fpq` or `fp`. */
  readonly arm: string;
  /** Null: full precision, or unknown (`reason` says so). */
  readonly weightBits: number | null;
  readonly activationBits: number | null;
  /** Top-1 accuracy in percent; null where it is not known. */
  readonly top1Percent: number | null;
  /** Place where it was read: `arXiv:2503.11159v1, Table 4`. */
  readonly source: string;
  /** Reason why it is unknown; null: it is known. */
  readonly reason: string | null;
}

/** A difference that a paper states without the two numbers that it is made of. */
export interface PublishedDifference {
  readonly dataset: string;
  readonly model: string;
  readonly arm: string;
  /** Id of the arm it is measured against; null: not known. */
  readonly baseline: string | null;
  /** Null: not known. */
  readonly weightBits: number | null;
  readonly activationBits: number | null;
  /** Top-1 of the arm less top-1 of the baseline, in points. */
  readonly differencePoints: number;
  readonly source: string;
  /** The part of it that is not known; null: nothing. */
  readonly reason: string | null;
}

/** A published oddity that must stand beside every comparison it touches. */
export interface Anomaly {
  readonly text: string;
  /** Cells that it touches: every field that is given must match. */
  readonly touches: Partial<
    Pick<PublishedCell, "table" | "dataset" | "model" | "arm" | "weightBits" | "activationBits">
  >[];
}

/** A number of every run that a claim compares: accuracy, or a measurement by its name and the title of its number. */
export type ClaimQuantity =
  | { readonly kind: "top1" }
  | { readonly kind: "measurement"; readonly name: string; readonly quantity: string };

/** A statement of a paper about two arms, in a form that runs can support or contradict. */
export interface Claim {
  /** Unique in its paper. */
  readonly id: string;
  /** One sentence, as the paper has it. */
  readonly statement: string;
  readonly source: string;
  readonly quantity: ClaimQuantity;
  readonly arm: string;
  /** Id of an arm, or `own_fp`: the full-precision run that each run started from. */
  readonly baseline: string;
  /** Relation of the arm's number to the baseline's; `at_least`: not more than `margin` below it. */
  readonly relation: "above" | "below" | "at_least";
  /** For `at_least`, in the number's unit, >= 0: our reading of words such as "comparable". */
  readonly margin?: number;
  readonly dataset: string;
  /** Models that the paper says it of; empty: the paper does not say. */
  readonly models: readonly string[];
  /** Bits at which it is tested. */
  readonly bits: readonly Bits[];
  /** Published number of the arm less that of the baseline; null: the paper gives the direction alone. */
  readonly published: number | null;
  /** Facts that the paper leaves open, so that no run can equal it; null: none. */
  readonly open: string | null;
}

/** A range that the mean of a cell's runs must reach, or, for a control, must miss. Fixed before the first run. */
export interface Tolerance extends Pick<RowKey, "dataset" | "model" | "arm"> {
  readonly protocol: ProtocolName;
  /** Null: full precision. */
  readonly bits: Bits | null;
  /** `top1`: accuracy in percent; `gap`: points below the full precision that each run started from. */
  readonly quantity: "top1" | "gap";
  /** Null: no bound. */
  readonly least: number | null;
  readonly most: number;
  /** True: of runs that started from an imported network. Left out: of those of the protocol itself. */
  readonly fromImport?: true;
  /** False: a control, which must fall outside, or the tolerance could not fail. */
  readonly inside: boolean;
  /** Source of the range. */
  readonly source: string;
}

/** A paper. One folder under `benchmarks/` and one line in `benchmarks/mod.ts`. */
export interface Paper<Row extends ArmTitle = Arm> {
  readonly id: string;
  readonly title: string;
  readonly citation: string;
  readonly arxiv: string;
  /** One sentence on how much of the paper is known, such as that the method is a reconstruction; null: the whole text. */
  readonly caveat: string | null;
  readonly tables: readonly Table<Row>[];
  /** Every arm of the tables once, in the order of the rows. */
  readonly arms: readonly Row[];
  readonly published: readonly PublishedCell[];
  readonly publishedDifferences: readonly PublishedDifference[];
  readonly anomalies: readonly Anomaly[];
  /** Left out: none. */
  readonly claims?: readonly Claim[];
  /** Left out: none. */
  readonly tolerances?: readonly Tolerance[];
  /** Choices of ours where the paper says nothing, numbered for print. */
  readonly assumptions: readonly string[];
  /** Differences to the paper that we know of. */
  readonly deviations: readonly string[];
}
