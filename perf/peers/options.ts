import { InputError } from "../../src/errors.ts";
import { type Option, optionLines, readFlags } from "../../src/cli/flags.ts";
import { type Arm, ARMS, GPU_MODELS, PEER_MODELS } from "./steps.ts";

/** What a user asks of `deno task peer`. */
export interface PeerOptions {
  readonly models: readonly string[];
  /** Null: all that the model has. */
  readonly arms: readonly Arm[] | null;
  readonly rounds: number;
  readonly cores: number;
  /** Whether all sides run on a GPU. */
  readonly gpu: boolean;
  /** Whether a GPU may multiply in TF32, for all sides. */
  readonly tf32: boolean;
  /** Null: each model's own. */
  readonly batch: number | null;
  /** A Python with PyTorch, and with Brevitas where that is to be measured; null: one is made in the cache. */
  readonly torch: string | null;
  readonly json: boolean;
  readonly out: string;
}

const MODEL_NAMES = PEER_MODELS.map(({ model }) => model as string);

const DEFAULT_ROUNDS = 5, DEFAULT_CORES = 1, DEFAULT_OUT = "reports";

const OPTIONS: readonly Option[] = [
  { name: "models", value: "A,B", help: `models among ${MODEL_NAMES.join(", ")}; default: all` },
  {
    name: "arms",
    value: "A,B",
    help: `steps among ${Object.keys(ARMS).join(", ")}; default: all that are measured on the model`,
  },
  { name: "rounds", value: "N", help: `how often each side is started; default: ${DEFAULT_ROUNDS}` },
  {
    name: "cores",
    value: "1|2",
    help:
      `processes of a side at once, one thread and one core each; default: ${DEFAULT_CORES}. With 2 the files are ` +
      "peers_2_cores.md and peers_2_cores.json",
  },
  {
    name: "gpu",
    value: null,
    help: `all sides on this machine's GPU, without Brevitas: ${
      GPU_MODELS.map(({ model, batch, arms }) => `${model} at batch ${batch} (${arms.join(", ")})`).join("; ")
    }. The files are peers_gpu.md and peers_gpu.json`,
  },
  {
    name: "tf32",
    value: null,
    help: "with --gpu: TF32 in all sides' products; the files are peers_gpu_tf32.md and peers_gpu_tf32.json",
  },
  {
    name: "batch",
    value: "N",
    help: `batch size; default: ${PEER_MODELS.map(({ model, batch }) => `${batch} (${model})`).join(", ")}`,
  },
  {
    name: "torch",
    value: "PYTHON",
    help:
      "a Python that has PyTorch, and Brevitas if that is to be measured; default: pip installs PyTorch 2.13.0 and " +
      "Brevitas 0.13.4 into the cache (some gigabytes)",
  },
  { name: "json", value: null, help: "print peers.json on stdout instead of the table" },
  {
    name: "out",
    value: "DIR",
    help:
      `folder of the two files; default: ${DEFAULT_OUT}. What is measured so far is in NAME.part.json meanwhile, and ` +
      "stays there if the command is killed",
  },
  { name: "help", value: null, help: "print this" },
];

/** The text of `--help`. */
export const HELP = [
  "Measures a training step against PyTorch, both in turn on the same work, and writes peers.md and peers.json",
  "",
  "Usage: deno task peer [options]",
  "",
  ...optionLines(OPTIONS),
  "",
  "It starts measuring at once, which may take hours",
  "Which cores: the first of those that the command itself may run on, so `taskset -c 1 deno task peer` measures on core 1",
  "Exit codes: 0 all that ran counts, 1 some losses differ or a side failed, 2 bad input",
  "",
].join("\n");

/**
 * Reads the command line.
 * @returns The options; null: help was asked for.
 * @throws {InputError} If an option or its value is not known, or options contradict each other.
 */
export function parsePeerOptions(args: readonly string[]): PeerOptions | null {
  const given = readFlags(args, OPTIONS);
  if (given.has("help")) return null;
  const gpu = given.has("gpu"), tf32 = given.has("tf32"), cores = given.get("cores") ?? String(DEFAULT_CORES);
  if (tf32 && !gpu) throw new InputError("Cannot use --tf32 without --gpu as a CPU has no TF32: add --gpu");
  if (gpu && cores !== "1") {
    throw new InputError(`Cannot use --cores ${cores} with --gpu as a GPU serves one process: leave it out`);
  }
  const names = (gpu ? GPU_MODELS : PEER_MODELS).map(({ model }) => model);
  const [models, arms, batch] = ["models", "arms", "batch"].map((name) => given.get(name));
  return {
    models: models === undefined ? names : [...new Set(models.split(",").map((text) => modelName(text, names)))],
    arms: arms === undefined ? null : [...new Set(arms.split(",").map(armName))],
    rounds: whole("rounds", given.get("rounds") ?? String(DEFAULT_ROUNDS), 100),
    cores: whole("cores", cores, 2),
    gpu,
    tf32,
    batch: batch === undefined ? null : whole("batch", batch, 2000),
    torch: given.get("torch") ?? null,
    json: given.has("json"),
    out: given.get("out") ?? DEFAULT_OUT,
  };
}

function modelName(text: string, names: readonly string[]): string {
  const name = text.trim();
  if (names.includes(name)) return name;
  throw new InputError(
    `Cannot measure model "${name}" as it is not among the peers' models: choose from ${names.join(", ")}`,
  );
}

function armName(text: string): Arm {
  const name = text.trim(), arms = Object.keys(ARMS) as Arm[];
  const found = arms.find((arm) => arm === name);
  if (found) return found;
  throw new InputError(
    `Cannot measure step "${name}" as it is not among the peers' steps: choose from ${arms.join(", ")}`,
  );
}

function whole(name: string, text: string, most: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= most) return value;
  throw new InputError(
    `Cannot use --${name} ${text} as it must be a whole number from 1 to ${most}: leave it out for the default`,
  );
}
