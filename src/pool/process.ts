/** The process of one run: how it is started and stopped, and what it reports. */
import { z } from "zod";
import { probeSchema } from "../record/rate.ts";
import { epochSchema } from "../record/record.ts";
import type { PlannedRun } from "../record/spec.ts";
import { writeError } from "../store/files.ts";
import { logFile, openRun, specFile } from "../store/store.ts";
import { childEnvironment, HOST_FACTS, hostFacts, RUN_LOCK } from "./environment.ts";

/** Number of log lines that the record of a run that is not done keeps. */
export const LAST_LINES = 20;
const LAST_LINE_LENGTH = 300;

/** Message from the process of a run: one JSON object per line on stdout. */
export const childMessageSchema = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("progress"),
    epoch: z.number(),
    epochs: z.number(),
    step: z.number(),
    steps: z.number(),
    /** Null: not a number. */
    loss: z.number().nullable(),
    imagesPerSecond: z.number(),
  }),
  z.strictObject({ type: z.literal("epoch"), epoch: epochSchema }),
  /** Times of the steps of a probe. */
  z.strictObject({ type: z.literal("probe"), probe: probeSchema }),
  /** The run ended: `stopped` leaves a checkpoint, the other two a record. */
  z.strictObject({ type: z.literal("done"), status: z.enum(["done", "diverged", "stopped"]) }),
  /** The run ended by an error; the stack is in the log. */
  z.strictObject({ type: z.literal("failed"), reason: z.string() }),
]);
export type ChildMessage = Readonly<z.infer<typeof childMessageSchema>>;

/** Parses a line of a child's stdout; null: some other text, which belongs in the log. */
export function parseChildMessage(line: string): ChildMessage | null {
  if (!line.startsWith("{")) return null;
  try {
    return childMessageSchema.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    return null;
  }
}

/** Splits text into lines, without their ends; the last line need not have one. */
async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>)) {
    const lines = (rest + text).split(/\r?\n/);
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}

/** End of a run's process. */
export interface ChildEnd {
  readonly code: number;
  readonly signal: string | null;
  /** Its last message about itself; null: none. */
  readonly message: Extract<ChildMessage, { type: "done" | "failed" }> | null;
  /** Last lines of its log. */
  readonly lastLines: readonly string[];
}

/** Process of a run. */
export interface RunningChild {
  readonly pid: number;
  /** Asks it to write a checkpoint and stop. */
  stop(): void;
  /** Ends it at once. */
  kill(): void;
  /** Rejects with an InputError if its log cannot be written; the process is then ended. */
  readonly ended: Promise<ChildEnd>;
}

/** Where a process computes. */
export interface ChildPlace {
  /** Variables that it gets. */
  readonly variables: Readonly<Record<string, string>>;
  /** Name and driver of its GPU; null: none, or not known. */
  readonly gpu: string | null;
}

/** Options of `startChild`. */
export interface ChildOptions {
  readonly out: string;
  /** Program and arguments; `--spec FILE --out DIR` is added. */
  readonly command: readonly string[];
  /** Nonce of the run's lock: the process writes only as long as the lock has it. Null: it always writes. */
  readonly lock: string | null;
  /** Its place among the processes of this machine. @default on any GPU */
  readonly place?: ChildPlace;
  readonly onMessage: (message: ChildMessage) => void;
}

/**
 * Starts the process of a run; its text for people is added to log.txt.
 * @throws {InputError} If the run's folder cannot be written.
 */
export function startChild(run: PlannedRun, { out, command, lock, place, onMessage }: ChildOptions): RunningChild {
  openRun(out, run.spec);
  const logPath = logFile(out, run.id);
  let log: Deno.FsFile;
  try {
    log = Deno.openSync(logPath, { append: true, create: true });
  } catch (error) {
    throw writeError(error, logPath);
  }
  const child = new Deno.Command(command[0]!, {
    args: [...command.slice(1), "--spec", specFile(out, run.id), "--out", out],
    clearEnv: true,
    env: {
      ...childEnvironment(Deno.env.toObject()),
      // As it is now: the process loads the code of this moment.
      [HOST_FACTS]: JSON.stringify({ ...hostFacts(), ...(place?.gpu ? { gpu: place.gpu } : {}) }),
      ...place?.variables,
      ...(lock === null ? {} : { [RUN_LOCK]: lock }),
    },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();

  const lastLines: string[] = [];
  let message: ChildEnd["message"] = null;
  function keep(line: string): void {
    const bytes = new TextEncoder().encode(line + "\n");
    try {
      for (let written = 0; written < bytes.length;) written += log.writeSync(bytes.subarray(written));
    } catch (error) {
      throw writeError(error, logPath);
    }
    // deno-lint-ignore no-control-regex
    const plain = line.replace(/\x1b\[[0-9;]*m/g, "").trim();
    if (plain === "") return;
    lastLines.push(plain.slice(0, LAST_LINE_LENGTH));
    if (lastLines.length > LAST_LINES) lastLines.shift();
  }
  async function readMessages(): Promise<void> {
    for await (const line of linesOf(child.stdout)) {
      const parsed = parseChildMessage(line);
      if (parsed === null) keep(line);
      else if (parsed.type === "done" || parsed.type === "failed") message = parsed;
      else onMessage(parsed);
    }
  }
  async function readLog(): Promise<void> {
    for await (const line of linesOf(child.stderr)) keep(line);
  }
  function signal(name: Deno.Signal): void {
    try {
      child.kill(name);
    } catch {
      // It has ended already.
    }
  }
  async function end(): Promise<ChildEnd> {
    try {
      await Promise.all([readMessages(), readLog()]);
    } catch (error) {
      signal("SIGKILL");
      throw error;
    } finally {
      log.close();
      await child.status;
    }
    const { code, signal: by } = await child.status;
    return { code, signal: by, message, lastLines };
  }
  return { pid: child.pid, stop: () => signal("SIGINT"), kill: () => signal("SIGKILL"), ended: end() };
}

/** Passes on the first call of every `everyMs` milliseconds, and every call that `isAlways` picks. */
export function throttled<Value>(
  call: (value: Value) => void,
  { everyMs, isAlways = () => false }: { readonly everyMs: number; readonly isAlways?: (value: Value) => boolean },
): (value: Value) => void {
  let last = -Infinity;
  return (value) => {
    const now = performance.now();
    if (!isAlways(value) && now - last < everyMs) return;
    last = now;
    call(value);
  };
}
