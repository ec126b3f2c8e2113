/** `deno task engine-speed`: see `--help`. */
import process from "node:process";
import { InputError } from "../../src/errors.ts";
import { synthetic } from "../../datasets/synthetic.ts";
import { type Option, optionLines, readFlags } from "../../src/cli/flags.ts";

const DEFAULT_BATCH = 16, DEFAULT_ROUNDS = 5;

const OPTIONS: readonly Option[] = [
  { name: "batch", value: "N", help: `images a step; default: ${DEFAULT_BATCH}` },
  { name: "rounds", value: "N", help: `steps of each side; default: ${DEFAULT_ROUNDS}` },
  { name: "help", value: null, help: "print this" },
];

const HELP = [
  "Measures what engine wasm gains over plain tfjs, on a training step of ResNet-20 with LSQ W4A4; JSON on stdout",
  "",
  "Usage: deno task engine-speed [options]",
  "",
  ...optionLines(OPTIONS),
  "",
  "Exit codes: 0 measured, 2 bad input",
  "",
].join("\n");

function count(flags: ReadonlyMap<string, string>, name: string, byDefault: number): number {
  const text = flags.get(name);
  if (text === undefined) return byDefault;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= 1000) return value;
  throw new InputError(
    `Cannot use --${name} "${text}" as it must be a whole number from 1 to 1000: leave it out for ${byDefault}`,
  );
}

async function main(args: readonly string[]): Promise<void> {
  const flags = readFlags(args, OPTIONS);
  if (flags.has("help")) return void process.stdout.write(HELP);
  const batch = count(flags, "batch", DEFAULT_BATCH), rounds = count(flags, "rounds", DEFAULT_ROUNDS);
  const { compareWasm } = await import("./compare.ts"); // tensor code, which help does not need
  const speed = await compareWasm({
    ...{ model: "resnet20", bits: 4, batch, rounds },
    dataset: await synthetic.load({ cache: "" }),
  });
  process.stdout.write(`${JSON.stringify(speed, null, 2)}\n`);
}

try {
  await main(Deno.args);
} catch (error) {
  if (!(error instanceof InputError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
