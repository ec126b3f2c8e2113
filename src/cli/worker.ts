import { resolve } from "node:path";
import { datasetNamed } from "../../datasets/mod.ts";
import type { EngineChoice, EngineName } from "../engine/types.ts";
import type { Gpu } from "../pool/gpus.ts";
import { checkMemoryWatch } from "../pool/limits.ts";
import type { QueueTimes } from "../queue/mod.ts";
import { type BucketAddress, parseStoreUrl } from "../queue/store_url.ts";
import { addressWarning, parseQueueUrl, type QueueAddress } from "../queue/url.ts";
import type { BenchServices } from "./bench_options.ts";
import {
  commandLine,
  engineOption,
  helpAlone,
  type Jobs,
  jobsOption,
  limitOptions,
  limitsOf,
  type LimitValues,
  option,
  runCommand,
} from "./command_line.ts";
import type { Output } from "./console.ts";
import type { GridServices } from "./grid.ts";
import { requireGpu, withPlaces } from "./places.ts";
import { startWatch, watchOption, type WatchValues } from "./watch.ts";

/** Services of this machine that the command needs; nothing here loads tensor code. */
interface WorkerServices extends Output, Pick<GridServices, "prepareDataset" | "command" | "listenForInterrupts"> {
  readonly resolveEngine: (choice: EngineChoice) => Promise<EngineName>;
  readonly cores: number;
  readonly gpus?: () => Promise<readonly Gpu[]>;
  readonly requireBfloat16: BenchServices["requireBfloat16"];
  readonly times?: Partial<QueueTimes>;
}

/** Options of `deno task worker`; null: not given. */
interface WorkerOptions extends LimitValues, WatchValues {
  readonly queue: QueueAddress;
  readonly out: string;
  /** Null: the folder is shared. */
  readonly store: BucketAddress | null;
  readonly jobs: Jobs;
  readonly engine: EngineChoice;
}

/**
 * `deno task worker`: computes runs of a queue until it is stopped.
 *
 * @param services The console, and what takes the place of this machine's services in a test.
 * @returns The exit code: 0 stopped as asked, 2 bad input or a folder or server that cannot be used.
 */
export async function worker(args: readonly string[], services: Output & Partial<WorkerServices>): Promise<number> {
  const line = commandLine(
    "worker",
    "Takes the runs of `deno task bench --queue URL` and computes them on this machine",
    [
      "Give the password in REQUANT_REDIS_PASSWORD: one in the URL is shown in the machine's list of processes",
      "For rediss:// with a certificate of your own: REQUANT_REDIS_CA names the PEM file of its authority",
      "Ctrl-C: the runs write their checkpoints and go back to the queue; twice: they end at once",
      "Exit codes: 0 stopped as asked, 2 bad input or a folder or server that cannot be used",
    ],
  ).addOption(
    option("--queue <URL>", "Redis server, redis://host:6379, or rediss:// for TLS", parseQueueUrl)
      .demanded(),
  ).addOption(
    option("--out <DIR>", "folder that bench and all workers share, or with --store its own")
      .demanded(),
  ).addOption(
    option("--store <URL>", "bucket that bench was given, s3://bucket/prefix", parseStoreUrl)
      .default(null, "the folder is shared"),
  ).addOption(jobsOption());
  for (const flag of limitOptions()) line.addOption(flag);
  line.addOption(engineOption()).addOption(watchOption());
  if (helpAlone(line, args, services)) return 0;
  return await runCommand<WorkerOptions>(line, args, {
    output: services,
    async act(options) {
      const { benchServices } = await import("./services.ts");
      await workWith(options, { ...benchServices(), ...services });
    },
  });
}

async function workWith(options: WorkerOptions, services: WorkerServices): Promise<void> {
  const { queue: address, store } = options, limits = limitsOf(options);
  const out = resolve(options.out);
  const say = (line: string): void => services.stderr(line + "\n");
  const warning = addressWarning(address);
  if (warning !== null) say(warning);
  await checkMemoryWatch(limits);
  const { checkRedis, openArtefacts, queueName, runWorker } = await import("../queue/mod.ts");
  await checkRedis(address);
  const engine = await services.resolveEngine(options.engine);
  const command = await services.command({ out, engine }); // before anything is written
  const artefacts = await openArtefacts(out, store);
  const queue = await queueName(out, engine, store);
  const title = `Worker of ${address.shown}, engine ${engine}`;
  const watch = await startWatch(options.watch, { title, out, runs: [], finished: new Map() }, services);
  // One download at a time, and one for all runs.
  const datasets = new Map<string, Promise<void>>();
  const interrupts = services.listenForInterrupts();
  function onStop(): void {
    say("Stopping: the runs write their checkpoints and go back to the queue; Ctrl-C again ends them at once");
  }
  interrupts.stop.addEventListener("abort", onStop);
  const gpus = engine === "tensorflow" ? await services.gpus?.() ?? [] : [];
  try {
    await withPlaces({ gpus, jobs: options.jobs, most: services.cores, say }, (places) => {
      const from = `${engine} from ${address.shown}, ${places.limit} at once`;
      say(`Waiting for runs of engine ${from}, in ${out}, queue ${queue}`);
      places.onChange(say);
      return runWorker({
        ...{ address, queue, out, jobs: places, command, interrupts, limits, artefacts, say },
        ...(watch === null ? {} : { onEvent: watch.onEvent }),
        check: ({ spec }) => void datasetNamed(spec.dataset.name),
        prepare: async ({ spec: { dataset: { name }, precision } }) => {
          if (precision === "bf16") await services.requireBfloat16(engine);
          if (precision === "tf32") requireGpu(gpus);
          const there = datasets.get(name) ?? services.prepareDataset(name, say);
          datasets.set(name, there);
          // A data set that failed is tried again for the next run.
          return await there.catch((error) => {
            datasets.delete(name);
            throw error;
          });
        },
        ...(services.times === undefined ? {} : { times: services.times }),
      });
    });
  } finally {
    interrupts.stop.removeEventListener("abort", onStop);
    interrupts.dispose();
    await watch?.close();
  }
}
