/**
 * What a report knows of a paper: its published cells, what they mean, and how our arms map to its rows.
 * Plain data, filled in under `benchmarks/<paper>/`.
 */

/** One published number, or the statement that it is unknown. */
export interface PublishedCell {
  /** Id of the table within the paper's page, such as `table4` or `mec-bits`. */
  readonly table: string;
  readonly dataset: string;
  /** Model id, such as `resnet18`; the id of `src/nn` where Requant has it. */
  readonly model: string;
  /** Arm id, such as `lsq`, `fpq` or `fp`. */
  readonly arm: string;
  /** Null: full precision, or unknown (`reason` says so). */
  readonly weightBits: number | null;
  readonly activationBits: number | null;
  /** Top-1 accuracy in percent; null where it is not known. */
  readonly top1Percent: number | null;
  /** Where it was read: `arXiv:2503.11159v1, Table 4`. */
  readonly source: string;
  /** Why it is unknown; null when it is known. */
  readonly reason: string | null;
}

/** A published oddity that must stand beside every comparison it touches. */
export interface Anomaly {
  readonly text: string;
  /** Which cells it touches: every field that is given must match. */
  readonly touches: Partial<
    Pick<PublishedCell, "table" | "dataset" | "model" | "arm" | "weightBits" | "activationBits">
  >[];
}

/** A row label of a table. */
export interface ArmTitle {
  readonly id: string;
  readonly title: string;
  /** `reconstruction` or `stand-in`: printed wherever the arm's numbers show; null: built from the full paper. */
  readonly label: "reconstruction" | "stand-in" | null;
  /**
   * Ids of arms that have a part of this one (its quantizer, its second view, its averaging, its base), in the order of the
   * columns: a gain counts only against each of them too. Left out: none.
   */
  readonly controls?: readonly string[];
}

/** A table of a paper's page: which of our runs fill it, whatever their model. */
export interface PageTable {
  readonly id: string;
  readonly title: string;
  readonly dataset: string;
  readonly arms: readonly string[];
  /** Of the quantized arms. */
  readonly bits: readonly { readonly weights: number; readonly activations: number }[];
  /** Where the paper's models are not known to us, so that no run can be of another one. */
  readonly modelsAreUnknown?: true;
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
  /** What is not known of it; null: nothing. */
  readonly reason: string | null;
}

/** A number of every run that a claim compares: accuracy, or a measurement by its name and the title of its number. */
export type ClaimQuantity =
  | { readonly kind: "top1" }
  | { readonly kind: "measurement"; readonly name: string; readonly quantity: string };

/** A statement of a paper about two arms, in a form that runs can support or contradict. */
export interface Claim {
  /** Unique on its page. */
  readonly id: string;
  /** In one sentence, as the paper has it. */
  readonly statement: string;
  readonly source: string;
  readonly quantity: ClaimQuantity;
  readonly arm: string;
  /** Id of an arm, or `own_fp`: the full-precision run that each run started from. */
  readonly baseline: string;
  /** Of the arm's number to the baseline's; `at_least`: not more than `margin` below it. */
  readonly relation: "above" | "below" | "at_least";
  /** Of `at_least`, in the number's unit, >= 0: our reading of words such as "comparable". */
  readonly margin?: number;
  readonly dataset: string;
  /** Models that the paper says it of; empty: the paper does not say. */
  readonly models: readonly string[];
  /** Widths at which it is tested. */
  readonly bits: readonly { readonly weights: number; readonly activations: number }[];
  /** Published number of the arm less that of the baseline; null: the paper gives the direction alone. */
  readonly published: number | null;
  /** What the paper leaves open, so that no run can be its like; null: nothing. */
  readonly open: string | null;
}

/** A paper's page. */
export interface PaperPage {
  /** `mec`, `fpq` or `cr`. */
  readonly id: string;
  readonly title: string;
  readonly citation: string;
  readonly arxiv: string;
  /** One sentence on how much of the paper is known, such as that the method is a reconstruction; null: the whole text. */
  readonly caveat: string | null;
  readonly tables: readonly PageTable[];
  /** In the order of the rows. */
  readonly arms: readonly ArmTitle[];
  readonly published: readonly PublishedCell[];
  readonly publishedDifferences: readonly PublishedDifference[];
  readonly anomalies: readonly Anomaly[];
  /** Left out: none. */
  readonly claims?: readonly Claim[];
  /** What the paper does not say and what we took, numbered for print. */
  readonly assumptions: readonly string[];
  /** Where we knowingly differ from what the paper says. */
  readonly deviations: readonly string[];
}
