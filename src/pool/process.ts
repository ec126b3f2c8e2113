import { HOST_FACTS, hostFacts } from "./environment.ts";
import { writeError } from "../store/files.ts";
import { type ChildMessage, linesOf, parseChildMessage } from "./messages.ts";
import type { PlannedRun } from "../plan/plan.ts";
import { logFile, openRun, specFile } from "../store/store.ts";

const LAST_LINES = 20;
const LAST_LINE_LENGTH = 300;

/** How the process of a run ended. */
export interface ChildEnd {
  readonly code: number;
  readonly signal: string | null;
  /** What it said of itself last; null: nothing. */
  readonly message: Extract<ChildMessage, { type: "done" | "failed" }> | null;
  /** The last lines of its log. */
  readonly lastLines: readonly string[];
}

/** The process of a run. */
export interface RunningChild {
  readonly pid: number;
  /** Asks it to checkpoint and stop. */
  stop(): void;
  /** Ends it at once. */
  kill(): void;
  /** Rejects with an InputError if its log cannot be written; the process is then ended. */
  readonly ended: Promise<ChildEnd>;
}

/** What `startChild` is told. */
export interface ChildOptions {
  readonly out: string;
  /** Program and arguments; `--spec FILE --out DIR` is added. */
  readonly command: readonly string[];
  readonly onMessage: (message: ChildMessage) => void;
}

const SECRET_NAME = /PASSWORD|PASSWD|SECRET|TOKEN|CREDENTIAL|PRIVATE_KEY|API_KEY|ACCESS_KEY/i;

/** The variables that a run's process gets: none that may hold a password or token, as a run needs none. */
export function childEnvironment(variables: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(variables).filter(([name]) => !SECRET_NAME.test(name)));
}

/**
 * Starts the process of a run; what it says for people is added to log.txt.
 * @throws {InputError} If the run's folder cannot be written.
 */
export function startChild(run: PlannedRun, options: ChildOptions): RunningChild {
  const { out, command, onMessage } = options;
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
    // as it is now: the process loads the code of this moment
    env: { ...childEnvironment(Deno.env.toObject()), [HOST_FACTS]: JSON.stringify(hostFacts()) },
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
    const status = await child.status;
    return { code: status.code, signal: status.signal, message, lastLines };
  }
  return { pid: child.pid, stop: () => signal("SIGINT"), kill: () => signal("SIGKILL"), ended: end() };
}
