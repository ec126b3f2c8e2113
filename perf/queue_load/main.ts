/** `deno task queue-load`: see `--help`. */
import process from "node:process";
import { InputError } from "../../src/errors.ts";
import { checkRedis } from "../../src/queue/mod.ts";
import { parseQueueUrl, redact } from "../../src/queue/url.ts";
import { type Option, optionLines, readFlags } from "../../src/cli/flags.ts";
import { loadText, simulate } from "./load.ts";

const OPTIONS: readonly Option[] = [
  { name: "queue", value: "URL", help: "the Redis server, redis://host:6379 (required)" },
  { name: "workers", value: "N", help: "how many workers; default: 1000" },
  { name: "slots", value: "N", help: "runs that a worker has at once; default: 1" },
  { name: "teachers", value: "N", help: "full-precision runs; default: 100" },
  { name: "students", value: "N", help: "runs that start from each of them; default: 99" },
  { name: "run-ms", value: "N", help: "how long a run takes; default: 500" },
  { name: "help", value: null, help: "print this" },
];

function numberOf(flags: ReadonlyMap<string, string>, name: string, standard: number): number {
  const text = flags.get(name) ?? String(standard);
  if (/^\d{1,6}$/.test(text) && Number(text) > 0) return Number(text);
  throw new InputError(
    `Cannot use --${name} "${text}" as it must be a whole number from 1: leave it out for ${standard}`,
  );
}

async function run(): Promise<void> {
  const flags = readFlags(Deno.args, OPTIONS);
  if (flags.has("help")) {
    process.stdout.write(["Simulates workers on a queue", "", ...optionLines(OPTIONS), ""].join("\n"));
    return;
  }
  const url = flags.get("queue");
  if (url === undefined) throw new InputError("Cannot simulate without --queue: give --queue redis://host:6379");
  const address = parseQueueUrl(url);
  await checkRedis(address);
  const out = await Deno.makeTempDir({ prefix: "requant-load-" });
  const load = {
    address,
    out,
    workers: numberOf(flags, "workers", 1000),
    slots: numberOf(flags, "slots", 1),
    teachers: numberOf(flags, "teachers", 100),
    studentsEach: numberOf(flags, "students", 99),
    runMs: numberOf(flags, "run-ms", 500),
    say: (line: string) => void process.stderr.write(line + "\n"),
  };
  try {
    process.stdout.write(loadText(load, await simulate(load)));
  } finally {
    await Deno.remove(out, { recursive: true });
  }
}

let exitCode = 0;
try {
  await run();
} catch (error) {
  if (!(error instanceof InputError)) throw error;
  process.stderr.write(redact(error.message) + "\n");
  exitCode = 2;
}
process.exit(exitCode);
