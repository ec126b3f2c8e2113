/** Everything that judging sees of a run, whoever made it. */
import { type Environment, processorOf } from "../../record/environment.ts";
import { earlierEnvironmentsOf, type Epoch, type RunRecord } from "../../record/record.ts";
import { canonicalJson, type ProtocolLabel, protocolLabel, type RunSpec } from "../../record/spec.ts";

/** A row of a table, whatever its protocol. Null bits: full precision. */
export interface RowKey {
  readonly dataset: string;
  readonly model: string;
  readonly arm: string;
  readonly weightBits: number | null;
  readonly activationBits: number | null;
}

/** Everything that makes runs belong together, but for the seeds. */
export interface CellKey extends RowKey {
  readonly protocol: ProtocolLabel;
}

/** The part of a run that is known before it starts. */
export interface Subject {
  readonly cell: CellKey;
  readonly seed: number;
  /** Held-out training images choose hyper-parameters and fill no table. */
  readonly evaluateOn: "test" | "heldOut";
  /** Version of the recipe, and revision of the quantizer (null: full precision); null: another tool's run. */
  readonly version: { readonly recipe: number; readonly quantizer: string | null; readonly revision: number } | null;
  /** Everything that determines the numbers but seed and start, as plain JSON: equal within a cell. */
  readonly terms: Readonly<Record<string, unknown>>;
  /** Recipe, data, engine and model as text: only runs of equal ground are compared. */
  readonly ground: string;
}

/** The network that a run started from. */
export interface Start {
  /** Id of its run. */
  readonly id: string;
  /** Null: its run is not among the others. */
  readonly seed: number | null;
  /** SHA-256 of the network; null: not known. */
  readonly network: string | null;
}

/** A run that has ended. */
export interface Result extends Subject {
  /** Id of the run, or the line of the file that it was read from. */
  readonly id: string;
  /** Accuracy after the last epoch, in percent; null: the run did not finish. */
  readonly top1: number | null;
  /** Null: initial values. */
  readonly start: Start | null;
  /** ISO time; null: not known. */
  readonly startedAt: string | null;
  /** SHA-256 of the decoded data; null: not known. */
  readonly data: string | null;
  /** SHA-256 of the network after the last epoch; null: not known. */
  readonly network: string | null;
  /** Null: not known, or not finished. */
  readonly curve: readonly Epoch[] | null;
  /** Code and device that computed it; null: another tool, which does not say. */
  readonly origin: Pick<Environment, "commit" | "dirty" | "device"> & { readonly onSeveralProcessors: boolean } | null;
}

/** A result that counts in means. */
export type Finished = Result & { readonly top1: number };

/** Checks if a run has a result to average. */
export function isFinished(result: Result): result is Finished {
  return result.top1 !== null;
}

/** The cell that a run belongs to. */
export function cellOf(spec: RunSpec): CellKey {
  const { dataset, model, arm, quantization } = spec;
  return {
    protocol: protocolLabel(spec),
    dataset: dataset.name,
    model,
    arm,
    weightBits: quantization?.weightBits ?? null,
    activationBits: quantization?.activationBits ?? null,
  };
}

/** The subject of a spec. */
export function subjectOf(spec: RunSpec): Subject {
  const { seed, teacher: _teacher, ...terms } = spec;
  const { recipe, dataset, engine, precision, model, quantization } = spec;
  return {
    cell: cellOf(spec),
    seed,
    evaluateOn: dataset.evaluateOn,
    version: {
      recipe: recipe.version,
      quantizer: quantization?.quantizer ?? null,
      revision: quantization?.quantizerRevision ?? 1,
    },
    terms,
    ground: canonicalJson({ recipe, dataset, engine, model, ...(precision ? { precision } : {}) }),
  };
}

/** Results of records; equal copies of a record count once, as papers share their FP and LSQ runs. */
export function resultsOf(records: readonly RunRecord[]): Result[] {
  // an imported network is the start of every seed
  const seeds = new Map(records.flatMap(({ id, spec }) => spec.imported ? [] : [[id, spec.seed]]));
  return withoutCopies(records).map((record): Result => {
    const { id, spec, status, metrics, curve, startedAt, environment } = record,
      { commit, dirty, device } = environment;
    const processors = new Set([environment, ...earlierEnvironmentsOf(record)].map(processorOf));
    const isDone = status === "done";
    return {
      ...subjectOf(spec),
      id,
      top1: isDone ? metrics!["top1Percent"]! : null,
      start: spec.teacher === null ? null : {
        id: spec.teacher,
        seed: seeds.get(spec.teacher) ?? null,
        network: record.teacherSha256 ?? null,
      },
      startedAt,
      data: record.dataSha256,
      network: record.networkSha256 ?? null,
      curve: isDone ? curve : null,
      origin: { commit, dirty, device, onSeveralProcessors: processors.size > 1 },
    };
  });
}

/** Only records of one id can be equal, and few ids are there twice. */
function withoutCopies(records: readonly RunRecord[]): RunRecord[] {
  return [...Map.groupBy(records, ({ id }) => id).values()].flatMap((copies) =>
    copies.length === 1 ? copies : [...new Map(copies.map((copy) => [canonicalJson(copy), copy])).values()]
  );
}
