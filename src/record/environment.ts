import { z } from "zod";
import { canonicalJson } from "./spec.ts";

/** Program and machine that computed a run: enough to judge if two records may be compared. */
export interface Environment {
  /** Commit of Requant, or null outside a git checkout. */
  readonly commit: string | null;
  /** True where the checkout differed from its commit. */
  readonly dirty: boolean | null;
  /** Name of the engine. */
  readonly engine: string;
  /** Versions of what computes, by name. */
  readonly versions: Record<string, string>;
  /** `cpu` or `gpu`, and for a GPU its name. */
  readonly device: string;
  /** Threads of the engine. */
  readonly threads: number;
  /** Operating system and architecture. */
  readonly os: string;
  /** Model of the processor. */
  readonly cpu: string;
}

/** Rules of an environment. */
export const environmentSchema: z.ZodType<Environment> = z.strictObject({
  commit: z.string().nullable(),
  dirty: z.boolean().nullable(),
  engine: z.string(),
  versions: z.record(z.string(), z.string()),
  device: z.string(),
  threads: z.int().positive(),
  os: z.string(),
  cpu: z.string(),
});

/** Keeps each environment once, in order. */
export function distinctEnvironments(environments: readonly Environment[]): Environment[] {
  return [...new Map(environments.map((environment) => [canonicalJson(environment), environment])).values()];
}

/**
 * Joins the environments behind a run: the last process's, marked dirty if any was, and the others, each once.
 * @param others Environments of earlier processes and of the teacher's record.
 */
export function joinEnvironments(
  last: Environment,
  others: readonly Environment[],
): { environment: Environment; otherEnvironments?: Environment[] } {
  const otherEnvironments = distinctEnvironments([last, ...others]).slice(1);
  const dirty = others.some((environment) => environment.dirty) ? true : last.dirty;
  return { environment: { ...last, dirty }, ...(otherEnvironments.length === 0 ? {} : { otherEnvironments }) };
}
