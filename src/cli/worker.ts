import { resolve } from "node:path";
import type { EngineChoice } from "../engine/mod.ts";
import type { EngineName } from "../engine/types.ts";
import { InputError } from "../errors.ts";
import type { Interrupts } from "../pool/interrupts.ts";
import { checkMemoryWatch } from "../pool/limits.ts";
import type { QueueTimes } from "../queue/mod.ts";
import { addressWarning, redact } from "../queue/url.ts";
import { parseWorkerFlags, WORKER_HELP, type WorkerFlags } from "./worker_options.ts";

/** What the command needs from outside; nothing here loads tensor code. */
export interface WorkerServices {
  readonly resolveEngine: (choice: EngineChoice) => Promise<EngineName>;
  /** Has the data set at hand before processes ask for it. @throws {InputError} If it cannot be had. */
  readonly prepareDataset: (name: string, log: (line: string) => void) => Promise<void>;
  /** Program and arguments of a run's process. */
  readonly command: (place: { out: string; engine: EngineName }) => readonly string[] | Promise<readonly string[]>;
  readonly cores: number;
  readonly listenForInterrupts: () => Interrupts & { dispose(): void };
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  readonly times?: Partial<QueueTimes>;
}

/**
 * `deno task worker`: computes runs of a queue until it is stopped.
 * @returns The exit code: 0 stopped as asked, 2 bad input or a folder or server that cannot be used.
 */
export async function work(args: readonly string[], services: WorkerServices): Promise<number> {
  try {
    const flags = parseWorkerFlags(args);
    if (flags !== null) await workWith(flags, services);
    else services.stdout(WORKER_HELP);
    return 0;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    services.stderr(redact(error.message) + "\n");
    return 2;
  }
}

async function workWith(flags: WorkerFlags, services: WorkerServices): Promise<void> {
  const { queue: address } = flags;
  const out = resolve(flags.out);
  const jobs = flags.jobs ?? services.cores;
  const say = (line: string): void => services.stderr(line + "\n");
  const warning = addressWarning(address);
  if (warning !== null) say(warning);
  await checkMemoryWatch(flags.limits);
  const { checkRedis, openArtefacts, queueName, runWorker } = await import("../queue/mod.ts");
  await checkRedis(address);
  const engine = await services.resolveEngine(flags.engine);
  const artefacts = await openArtefacts(out, flags.store);
  const queue = await queueName(out, engine, flags.store);
  say(`Waiting for runs of engine ${engine} from ${address.shown}, ${jobs} at once, in ${out}, queue ${queue}`);
  // One download at a time, and one for all runs.
  const datasets = new Map<string, Promise<void>>();
  const interrupts = services.listenForInterrupts();
  function onStop(): void {
    say("Stopping: the runs write their checkpoints and go back to the queue; Ctrl-C again ends them at once");
  }
  interrupts.stop.addEventListener("abort", onStop);
  try {
    await runWorker({
      address,
      queue,
      out,
      jobs,
      command: await services.command({ out, engine }),
      interrupts,
      limits: flags.limits,
      artefacts,
      say,
      prepare: ({ spec: { dataset: { name } } }) => {
        const there = datasets.get(name) ?? services.prepareDataset(name, say);
        datasets.set(name, there);
        // What failed is tried again for the next run.
        return there.catch((error) => {
          datasets.delete(name);
          throw error;
        });
      },
      ...(services.times === undefined ? {} : { times: services.times }),
    });
  } finally {
    interrupts.stop.removeEventListener("abort", onStop);
    interrupts.dispose();
  }
}
