/** `deno task dev:queue-load`: see `--help`. */
import { checkRedis } from "../../src/queue/mod.ts";
import { parseQueueUrl, type QueueAddress } from "../../src/queue/url.ts";
import { commandLine, helpAlone, option, runCommand, wholeNumber } from "../../src/cli/command_line.ts";
import { openConsole } from "../../src/cli/console.ts";
import { loadText, simulate } from "./load.ts";

interface LoadOptions {
  readonly queue: QueueAddress;
  readonly workers: number;
  readonly slots: number;
  readonly teachers: number;
  readonly students: number;
  readonly runMs: number;
}

function count(name: string, help: string, standard: number) {
  const parse = wholeNumber(name, { to: 999_999, remedy: `leave it out for ${standard}` });
  return option(`--${name} <N>`, help, parse).default(standard, String(standard));
}

const line = commandLine("dev:queue-load", "Simulates workers on a queue")
  .addOption(
    option("--queue <URL>", "the Redis server, redis://host:6379", parseQueueUrl).demanded(),
  )
  .addOption(count("workers", "how many workers", 1000))
  .addOption(count("slots", "runs that a worker has at once", 1))
  .addOption(count("teachers", "full-precision runs", 100))
  .addOption(count("students", "runs that start from each of them", 99))
  .addOption(count("run-ms", "how long a run takes", 500));

const output = openConsole();

async function load({ queue: address, students: studentsEach, ...counts }: LoadOptions): Promise<void> {
  await checkRedis(address);
  const out = await Deno.makeTempDir({ prefix: "requant-load-" });
  const settings = { ...counts, address, out, studentsEach, say: (text: string) => output.stderr(`${text}\n`) };
  try {
    output.stdout(loadText(settings, await simulate(settings)));
  } finally {
    await Deno.remove(out, { recursive: true });
  }
}

if (helpAlone(line, Deno.args, output)) Deno.exit(0);
Deno.exit(await runCommand(line, Deno.args, { output, act: load }));
