import { parseArgs } from "node:util";
import { InputError } from "../../src/errors.ts";
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

/** The text of `--help`. */
export const HELP =
  `Measures a training step against PyTorch, both in turn on the same work, and writes peers.md and peers.json

Usage: deno task peer [options]

  --models A,B     models among ${MODEL_NAMES.join(", ")}; default: all
  --arms A,B       steps among ${Object.keys(ARMS).join(", ")}; default: all that are measured on the model
  --rounds N       how often each side is started; default: 5
  --cores 1|2      processes of a side at once, one thread and one core each; default: 1. With 2 the files are
                   peers_2_cores.md and peers_2_cores.json
  --gpu            all sides on this machine's GPU: ${
    GPU_MODELS.map(({ model, batch, arms }) => `${model} at batch ${batch} (${arms.join(", ")})`).join("; ")
  },
                   without Brevitas. The files are peers_gpu.md and peers_gpu.json
  --tf32           with --gpu: TF32 in all sides' products; the files are peers_gpu_tf32.md and peers_gpu_tf32.json
  --batch N        batch size; default: ${PEER_MODELS.map(({ model, batch }) => `${batch} (${model})`).join(", ")}
  --torch PYTHON   a Python that has PyTorch, and Brevitas if that is to be measured; default: pip installs
                   PyTorch 2.13.0 and Brevitas 0.13.4 into the cache (some gigabytes)
  --json           print peers.json on stdout instead of the table
  --out DIR        folder of the two files; default: reports. What is measured so far is in NAME.part.json meanwhile,
                   and stays there if the command is killed
  --help           print this

Which cores: the first of those that the command itself may run on, so \`taskset -c 1 deno task peer\` measures on core 1.

Exit codes: 0 all that ran counts, 1 some losses differ or a side failed, 2 bad input
`;

/**
 * Reads the command line.
 * @returns The options; null: help was asked for.
 * @throws {InputError} If a value cannot be used.
 * @throws {TypeError} If an option is not known.
 */
export function parsePeerOptions(args: readonly string[]): PeerOptions | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      models: { type: "string" },
      arms: { type: "string" },
      rounds: { type: "string", default: "5" },
      cores: { type: "string", default: "1" },
      gpu: { type: "boolean", default: false },
      tf32: { type: "boolean", default: false },
      batch: { type: "string" },
      torch: { type: "string" },
      json: { type: "boolean", default: false },
      out: { type: "string", default: "reports" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return null;
  if (values.tf32 && !values.gpu) {
    throw new InputError("Cannot use --tf32 without --gpu as a CPU has no TF32: add --gpu");
  }
  if (values.gpu && values.cores !== "1") {
    throw new InputError(`Cannot use --cores ${values.cores} with --gpu as a GPU serves one process: leave it out`);
  }
  const names = (values.gpu ? GPU_MODELS : PEER_MODELS).map(({ model }) => model);
  return {
    models: values.models === undefined
      ? names
      : [...new Set(values.models.split(",").map((text) => modelName(text, names)))],
    arms: values.arms === undefined ? null : [...new Set(values.arms.split(",").map(armName))],
    rounds: whole("rounds", values.rounds, 100),
    cores: whole("cores", values.cores, 2),
    gpu: values.gpu,
    tf32: values.tf32,
    batch: values.batch === undefined ? null : whole("batch", values.batch, 2000),
    torch: values.torch ?? null,
    json: values.json,
    out: values.out,
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
  throw new InputError(`Cannot use --${name} ${text} as it must be a whole number from 1 to ${most}: correct it`);
}
