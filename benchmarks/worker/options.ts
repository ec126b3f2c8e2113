import { parseArgs } from "node:util";
import { ENGINE_CHOICES, type EngineChoice } from "../../src/engine/mod.ts";
import { InputError } from "../../src/errors.ts";
import { parseQueueUrl, type QueueAddress, redact } from "../../src/runs/queue/url.ts";

/** What a user asks of `deno task worker`. */
export interface WorkerFlags {
  readonly queue: QueueAddress;
  readonly out: string;
  /** Null: one process a core. */
  readonly jobs: number | null;
  readonly engine: EngineChoice;
}

export const WORKER_HELP = [
  "Takes the runs of `deno task bench --queue URL` and computes them on this machine",
  "",
  "Usage: deno task worker --queue URL --out DIR [options]",
  "",
  "  --queue URL   the Redis server, redis://host:6379, or rediss:// for TLS (required)",
  "  --out DIR     the folder that bench and all workers share (required)",
  "  --jobs N      how many runs at once; default: one a core, give 1 on a GPU",
  `  --engine ${ENGINE_CHOICES.join("|")}   which runs to take; default: auto, as in bench`,
  "  --help        print this",
  "",
  "Give the password in REQUANT_REDIS_PASSWORD: one in the URL works, but stands in the machine's list of processes",
  "For rediss:// with a certificate of your own: REQUANT_REDIS_CA names the PEM file of its authority",
  "Ctrl-C: the runs write their checkpoints and go back to the queue; twice: they end at once",
  "Exit codes: 0 stopped as asked, 2 bad input or a folder or server that cannot be used",
  "",
].join("\n");

/**
 * Reads the command line.
 * @returns Null: help was asked for.
 * @throws {InputError} If a flag or its value is not known or missing; the message never holds a password.
 */
export function parseWorkerFlags(args: readonly string[]): WorkerFlags | null {
  const values = readFlags(args);
  if (values.help === true) return null;
  const { queue, out, jobs, engine = "auto" } = values;
  if (queue === undefined) throw new InputError("Cannot work without --queue: give --queue redis://host:6379");
  if (out === undefined) throw new InputError("Cannot work without --out: give the folder that bench was given");
  const address = parseQueueUrl(queue);
  if (jobs !== undefined && !(/^\d+$/.test(jobs) && Number(jobs) >= 1 && Number(jobs) <= 1024)) {
    throw new InputError(
      `Cannot use --jobs "${jobs}" as it must be a whole number from 1 to 1024: leave it out for one a core`,
    );
  }
  const choice = ENGINE_CHOICES.find((name) => name === engine);
  if (choice === undefined) {
    throw new InputError(
      `Cannot use engine "${engine}" as it is not known: choose one of ${ENGINE_CHOICES.join(", ")}`,
    );
  }
  return { queue: address, out, jobs: jobs === undefined ? null : Number(jobs), engine: choice };
}

function readFlags(
  args: readonly string[],
): { queue?: string; out?: string; jobs?: string; engine?: string; help?: boolean } {
  try {
    return parseArgs({
      args: [...args],
      options: {
        queue: { type: "string" },
        out: { type: "string" },
        jobs: { type: "string" },
        engine: { type: "string" },
        help: { type: "boolean" },
      },
    }).values;
  } catch (error) {
    const message = error instanceof Error ? error.message.split(/\. |\n/)[0]! : String(error);
    throw new InputError(`Cannot read the options of the worker (${redact(message)}): see --help`);
  }
}
