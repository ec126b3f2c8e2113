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
 * Names the processor that computed a run: the GPU if it used one, else the CPU, with the instructions that oneDNN used. Others
 * take other times.
 */
export function processorOf({ device, cpu, versions }: Pick<Environment, "device" | "cpu" | "versions">): string {
  if (device === "gpu") return (versions["gpu"] ?? "unknown GPU").split(", driver")[0]!;
  const name = cpu.replace(/, \d+ cores$/, ""), isa = versions["isa"];
  return isa === undefined ? name : `${name}, ${isa}`;
}

/**
 * Joins the environments behind a run: the last process's, marked dirty if any was, and the others, each once.
 * @param earlier Of earlier processes of the run.
 * @param teacher Of its teacher's record.
 */
export function joinEnvironments(
  last: Environment,
  earlier: readonly Environment[],
  teacher: readonly Environment[],
): { environment: Environment; earlierEnvironments?: Environment[]; otherEnvironments?: Environment[] } {
  const without = (all: readonly Environment[]) => distinctEnvironments([last, ...all]).slice(1);
  const own = without(earlier), others = without([...earlier, ...teacher]);
  return {
    environment: { ...last, dirty: others.some(({ dirty }) => dirty) ? true : last.dirty },
    ...(own.length === 0 ? {} : { earlierEnvironments: own }),
    ...(others.length === 0 ? {} : { otherEnvironments: others }),
  };
}
