import type { Command } from "commander";
import { InputError } from "../../src/errors.ts";
import { commandLine, listOf, option, wholeNumber } from "../../src/cli/command_line.ts";
import { type SideName, SIDES } from "./measurement.ts";
import { type Arm, ARMS, GPU_MODELS, PEER_MODELS } from "./steps.ts";

/** Options of `deno task dev:peer`. */
export interface PeerOptions {
  readonly models: readonly string[];
  /** Null: all that the model has. */
  readonly arms: readonly Arm[] | null;
  /** Null: all that the machine can run. */
  readonly sides: readonly SideName[] | null;
  readonly rounds: number;
  readonly cores: number;
  /** True: all sides run on a GPU. */
  readonly gpu: boolean;
  /** True: a GPU multiplies in float32 on all sides; false: TF32 is allowed. */
  readonly float32: boolean;
  /** True: what a GPU would do is done on the CPU, to try it. */
  readonly imitate: boolean;
  /** Folder of `bench` whose runs stand beside the steps; null: none. */
  readonly runs: string | null;
  /** Null: each model's own. */
  readonly batch: number | null;
  /** A Python with PyTorch, and with Brevitas where that is to be measured; null: one is made in the cache. */
  readonly torch: string | null;
  readonly json: boolean;
  readonly out: string;
}

const MODEL_NAMES = PEER_MODELS.map(({ model }) => model as string);
/** Folder of the committed measurements, and the page over all of them. */
export const REPORTS = "reports", OVERVIEW = "speed.md";
const DEFAULT_OUT = "runs/peers";
/** Options that only a measurement has. */
const MEASURING: readonly (keyof PeerValues)[] = [
  "models",
  "arms",
  "sides",
  "rounds",
  "cores",
  "gpu",
  "float32",
  "imitate",
  "runs",
  "batch",
  "torch",
  "json",
  "out",
  "write",
];

/** The command line of `deno task dev:peer`. */
export function peerLine(): Command {
  const gpuSteps = GPU_MODELS.map(({ model, batch, arms }) => `${model} at batch ${batch} (${arms.join(", ")})`);
  const steps = PEER_MODELS.reduce((sum, { arms }) => sum + arms.length, 0);
  const batches = PEER_MODELS.map(({ model, batch }) => `${batch} (${model})`).join(", ");
  const whole = (name: string, to: number) => wholeNumber(name, { to, remedy: "leave it out for the default" });
  const line = commandLine(
    "dev:peer",
    "Measures a training step against PyTorch, both in turn on the same work, and writes peers.md and peers.json",
    [
      `It measures ${steps} kinds of step by default, each side in 5 processes: hours of one core. Which core: the first of ` +
      "those that the command itself may run on, so `taskset -c 1 deno task dev:peer --rounds 5` measures on core 1",
      "What is measured so far is in NAME.part.json meanwhile, and stays there if the command is killed",
      "Exit codes: 0 all that ran counts, 1 some losses differ or a side failed, 2 bad input",
    ],
  );
  const flags = [
    option("--models <A,B>", `models among ${MODEL_NAMES.join(", ")}`, listOf("models")).default(null, "all"),
    option("--arms <A,B>", `steps among ${Object.keys(ARMS).join(", ")}`, (text) => listOf("arms")(text).map(armName))
      .default(null, "all that are measured on the model"),
    option(
      "--sides <A,B>",
      `who is measured beside ${SIDES[0]}: ${SIDES.slice(1).join(", ")}`,
      (text) => listOf("sides")(text).map(sideName),
    ).default(null, "all"),
    option("--rounds <N>", "starts of each side", whole("rounds", 100)).default(5, "5"),
    option(
      "--cores <N>",
      "processes of a side at once, 1 or 2, one thread and one core each; with 2 the files are peers_2_cores.*",
      whole("cores", 2),
    ).default(1, "1"),
    option("--gpu", `all sides on this machine's GPU, without Brevitas: ${gpuSteps.join("; ")}; files peers_gpu_tf32.*`)
      .excludes(["cores"], "leave --cores out, as a GPU serves one process"),
    option("--float32", "with --gpu: no TF32 in any side's products; files peers_gpu.*"),
    option(
      "--imitate",
      "with --gpu: on the CPU, to try the command; its figures mean nothing; files peers_gpu_imitated.*",
    ),
    option("--runs <DIR>", "folder of bench: the speed of its whole runs is added to the page").default(null, "none"),
    option("--batch <N>", "batch size", whole("batch", 2000)).default(null, batches),
    option("--torch <PYTHON>", "a Python that has PyTorch, and Brevitas if that is to be measured")
      .default(null, "pip installs PyTorch 2.13.0 and Brevitas 0.13.4 into the cache (some gigabytes)"),
    option("--json", "print peers.json on stdout instead of the table"),
    option("--out <DIR>", "folder of the two files").default(DEFAULT_OUT),
    option("--write", `write the two files into ${REPORTS}/, as the committed ones`)
      .excludes(["out"], "leave one out"),
    option("--overview", `measure nothing: write ${REPORTS}/${OVERVIEW} from the committed measurements`)
      .excludes(MEASURING, "leave it out, as nothing is measured"),
  ];
  for (const flag of flags) line.addOption(flag);
  return line;
}

/** Values of the command line. */
interface PeerValues extends Partial<Omit<PeerOptions, "models">> {
  readonly models: readonly string[] | null;
  readonly write?: true;
  readonly overview?: true;
}

/** Fills in defaults that depend on other options. @throws {InputError} If a model is not measured, or options contradict each other. */
export function peerOptions({ write, ...values }: PeerValues): PeerOptions {
  const { gpu = false, float32 = false, imitate = false, models } = values;
  if (float32 && !gpu) throw new InputError("Cannot use --float32 without --gpu as a CPU has no TF32: add --gpu");
  if (imitate && !gpu) throw new InputError("Cannot use --imitate without --gpu as it is a GPU's steps: add --gpu");
  const names: readonly string[] = (gpu ? GPU_MODELS : PEER_MODELS).map(({ model }) => model);
  const unknown = models?.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new InputError(
      `Cannot measure model "${unknown}" as it is not among the peers' models: choose from ${names.join(", ")}`,
    );
  }
  const { arms = null, sides = null, rounds = 5, cores = 1, batch = null, torch = null, runs = null, json = false } =
    values;
  const out = write ? REPORTS : values.out ?? DEFAULT_OUT;
  return { models: models ?? names, arms, sides, rounds, cores, gpu, float32, imitate, batch, torch, runs, json, out };
}

function sideName(name: string): SideName {
  const found = SIDES.find((side) => side === name);
  if (found) return found;
  throw new InputError(`Cannot measure side "${name}" as there is none of that name: choose from ${SIDES.join(", ")}`);
}

function armName(name: string): Arm {
  const arms = Object.keys(ARMS) as Arm[], found = arms.find((arm) => arm === name);
  if (found) return found;
  throw new InputError(
    `Cannot measure step "${name}" as it is not among the peers' steps: choose from ${arms.join(", ")}`,
  );
}
