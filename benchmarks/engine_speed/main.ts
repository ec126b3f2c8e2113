/** `deno task engine-speed [--batch N] [--rounds N]`: what engine wasm gains over plain tfjs; JSON on stdout. */
import process from "node:process";
import { InputError } from "../../src/errors.ts";
import { synthetic } from "../../datasets/synthetic.ts";
import { type Option, readFlags } from "../flags.ts";
import { compareWasm } from "./compare.ts";

const TABLE: readonly Option[] = [
  { name: "batch", value: "N", help: "images a step (default 16)" },
  { name: "rounds", value: "N", help: "steps of each side (default 5)" },
];

function count(flags: Map<string, string>, name: string, byDefault: number): number {
  const text = flags.get(name), value = text === undefined ? byDefault : Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 1000) return value;
  throw new InputError(`Option --${name} must be an integer from 1 to 1000: current value is "${text}"`);
}

try {
  const flags = readFlags(Deno.args, TABLE);
  const options = { model: "resnet20", bits: 4, batch: count(flags, "batch", 16), rounds: count(flags, "rounds", 5) };
  const speed = await compareWasm({ ...options, dataset: await synthetic.load({ cache: "" }) });
  process.stdout.write(`${JSON.stringify(speed, null, 2)}\n`);
} catch (error) {
  if (!(error instanceof InputError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
