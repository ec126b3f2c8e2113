/** Runs the sides in turn: requant, onednn, eager, ..., requant, ... one process per core each time. */
import { fileURLToPath } from "node:url";
import { messageOf } from "../../src/errors.ts";
import { usedMiB, visibleGpus } from "../../src/pool/gpus.ts";
import type { PeerCase, Sample, Side, SideName } from "./measurement.ts";
import type { Work } from "./work.ts";

/** Runs all processes of a side once and gives their samples, or throws with the reason. */
export type RunSide = (side: SideName, work: string) => Promise<Sample[]>;

/** One case: its work file, and what to do with it. */
export interface CaseOptions extends Pick<Work, "model" | "arm" | "batch" | "learningRate"> {
  readonly work: string;
  /** Sides that are measured, in their order. */
  readonly sides: readonly SideName[];
  readonly rounds: number;
  /**
   * True: the compiled side runs once before the rounds, to fill its cache on disk. The memory that compiling takes counts
   * as the side's memory.
   */
  readonly fillCache: boolean;
  /** Sides that cannot run, with the reason. */
  readonly absent: Readonly<Partial<Record<SideName, string>>>;
  readonly run: RunSide;
  readonly log: (line: string) => void;
}

/**
 * Measures a case. A side that fails is left out from then on, with the reason.
 */
export async function measureCase(options: CaseOptions): Promise<PeerCase> {
  const { model, arm, batch, learningRate, work, sides, rounds, run, log } = options;
  const failed = new Map<SideName, string>(Object.entries(options.absent) as [SideName, string][]);
  const samples = new Map<SideName, Sample[][]>(sides.map((side) => [side, []]));
  const attempt = async (side: SideName, title: string): Promise<Sample[] | null> => {
    if (failed.has(side)) return null;
    try {
      const result = await run(side, work);
      log(
        `${model} ${arm} ${title} ${side}: ${result.map(({ seconds }) => `${seconds.toFixed(3)} s a step`).join(", ")}`,
      );
      return result;
    } catch (error) {
      failed.set(side, messageOf(error));
      samples.set(side, []);
      log(`${model} ${arm} ${title} ${side}: ${messageOf(error)}`);
      return null;
    }
  };
  for (const side of sides.filter((name) => name === "compile" || name === "autocast")) {
    if (options.fillCache) await attempt(side, "before the rounds");
  }
  for (let round = 1; round <= rounds; round++) {
    for (const side of sides) {
      const result = await attempt(side, `round ${round} of ${rounds}`);
      if (result) samples.get(side)!.push(result);
    }
  }
  const results = sides.map((name): Side => ({ name, rounds: samples.get(name)!, notRun: failed.get(name) ?? null }));
  return { model, arm, batch, learningRate, sides: results };
}

/** Environment of every process on a CPU: one thread, malloc as it comes, no worker processes of the compiler. */
export const CPU_VARIABLES: Readonly<Record<string, string>> = {
  OMP_NUM_THREADS: "1",
  MKL_NUM_THREADS: "1",
  OPENBLAS_NUM_THREADS: "1",
  TORCHINDUCTOR_COMPILE_THREADS: "1",
};

/** Environment of every process on a GPU: what cuBLAS and cuDNN go by. */
export function gpuVariables({ float32, imitate }: { float32: boolean; imitate: boolean }): Record<string, string> {
  return { NVIDIA_TF32_OVERRIDE: float32 ? "0" : "1", ...(imitate ? CPU_VARIABLES : {}) };
}

/** Variables that would change one side's memory allocation; they are removed from the environment. */
const UNSET = /^(MALLOC_|GLIBC_TUNABLES$|LD_PRELOAD$)/;

/** Time that a process may take: torch.compile alone can need minutes. */
const LIMIT_SECONDS = 900;

/** Options for starting the processes of `runProcesses`. */
export interface ProcessOptions {
  /** A Python with PyTorch. */
  readonly python: string;
  /** One process each; null: as many as `cores`, not pinned. */
  readonly processors: readonly number[] | null;
  readonly cores: number;
  /** Device of the steps. */
  readonly place: "cpu" | "cuda" | "imitated";
  /** Set in every process. */
  readonly variables: Readonly<Record<string, string>>;
}

/** Engines of our sides, and the precision of gradients. */
const OUR_ENGINES: Readonly<Partial<Record<SideName, readonly string[]>>> = {
  requant: ["tensorflow"],
  onednn: ["onednn"],
  bf16: ["onednn", "bf16"],
};

/** Starts the real processes. */
export function runProcesses({ python, processors, cores, place, variables }: ProcessOptions): RunSide {
  const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
  const env = Object.fromEntries(Object.entries(Deno.env.toObject()).filter(([name]) => !UNSET.test(name)));
  return (side, work) => {
    const engine = OUR_ENGINES[side];
    const command = engine !== undefined
      ? [Deno.execPath(), "run", "-A", "--quiet", path("requant/main.ts"), work, ...engine]
      : [python, path("step.py"), work, side, place];
    return Promise.all(Array.from({ length: cores }, (_, i) => {
      const pinned = processors ? ["taskset", "-c", String(processors[i]), ...command] : command;
      const process = runOne(pinned, { ...env, ...variables });
      return place === "cuda" ? withGpuMemory(process) : process;
    }));
  };
}

/** Time between two looks at the memory of the GPU. */
const LOOK_EVERY_MS = 300;

/** Takes the GPU's memory for the process's: the most in use while it runs, less what was in use before. */
async function withGpuMemory(process: Promise<Sample>): Promise<Sample> {
  const gpu = visibleGpus()[0]!, before = usedMiB(gpu);
  let most = before;
  const timer = setInterval(() => {
    const used = usedMiB(gpu);
    if (used !== null && most !== null) most = Math.max(most, used);
  }, LOOK_EVERY_MS);
  try {
    const sample = await process;
    return { ...sample, peakBytes: before === null || most === null ? null : 2 ** 20 * (most - before) };
  } finally {
    clearInterval(timer);
  }
}

async function runOne(command: readonly string[], env: Record<string, string>): Promise<Sample> {
  const limit = AbortSignal.timeout(1000 * LIMIT_SECONDS);
  const { success, stdout, stderr } = await new Deno.Command(command[0]!, {
    args: command.slice(1),
    clearEnv: true,
    env,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: limit,
  }).output();
  if (limit.aborted) throw new Error(`it took longer than ${LIMIT_SECONDS / 60} minutes`);
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
  if (!success) throw new Error(`its process failed: ${text(stderr).split("\n").at(-1)}`);
  return JSON.parse(text(stdout).split("\n").at(-1)!) as Sample;
}
