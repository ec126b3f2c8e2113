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
}

/** A table of a paper's page: which of our runs fill it, whatever their model. */
export interface PageTable {
  readonly id: string;
  readonly title: string;
  readonly dataset: string;
  readonly arms: readonly string[];
  /** Of the quantized arms. */
  readonly bits: readonly { readonly weights: number; readonly activations: number }[];
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
  /** What the paper does not say and what we took, numbered for print. */
  readonly assumptions: readonly string[];
  /** Where we knowingly differ from what the paper says. */
  readonly deviations: readonly string[];
}
