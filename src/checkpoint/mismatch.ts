import type { RunRecord } from "../record/record.ts";
import { canonicalJson } from "../record/spec.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { networkSha256 } from "./network_digest.ts";
import type { Position } from "../train/position.ts";

/** The network that a checkpoint should hold. */
export interface Wanted {
  /** Of the run. */
  readonly id: string;
  /** Of that run; null: it is not at hand, and the checkpoint alone is asked. */
  readonly record: RunRecord | null;
  /** @default the last one */
  readonly epoch?: number;
}

/**
 * Why a checkpoint does not hold the network of a finished run, in words that follow "as it is"; null: it does.
 *
 * Checkpoints of older code do not tell how many steps their run has: of those without a record only the run is checked.
 */
export function mismatchOf({ tensors, position }: Checkpoint<Position>, wanted: Wanted): string | null {
  const { id, record } = wanted, { runId, step, steps, curve } = position;
  if (runId !== id) return `of run ${runId}`;
  if (wanted.epoch === undefined && steps !== undefined && step < steps) return `of step ${step} of ${steps}`;
  if (record === null) return null;
  if (record.status !== "done") return `of a run that ended as ${record.status}`;
  const epochs = record.curve.length, epoch = wanted.epoch ?? epochs;
  if (curve.length < epoch) return `of epoch ${curve.length} of ${epochs}`;
  const sameCurve = canonicalJson(curve) === canonicalJson(record.curve.slice(0, epoch));
  const known = epoch === epochs ? record.networkSha256 : undefined;
  return sameCurve && (known === undefined || known === networkSha256(tensors))
    ? null
    : "of another training of that run";
}
