import { totalmem } from "node:os";
import { InputError } from "../errors.ts";

/** Limits of a run's process; null: none. */
export interface RunLimits {
  /** Time from the start of the process; a resumed run has all of it again. */
  readonly timeoutMs: number | null;
  /** Resident memory, in MiB. */
  readonly memoryMiB: number | null;
}

export const NO_LIMITS: RunLimits = { timeoutMs: null, memoryMiB: null };

/** Time between two looks at a process's memory. */
const LOOK_EVERY_MS = 250;
/** Time that a process has to write its checkpoint when its time limit is over. */
export const GRACE_MS = 10_000;
const KIB_PER_MIB = 1024;
/** Longest wait of a timer: one set for longer goes off at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Process, as limits see it. */
export interface LimitedProcess {
  readonly pid: number;
  /** Asks it to write a checkpoint and stop. */
  stop(): void;
  /** Ends it at once. */
  kill(): void;
}

/** Limit that a process broke. */
export interface Exceeded {
  readonly status: "failed" | "timeout";
  readonly reason: string;
}

/** Watch over a process, until `close`. */
export interface LimitWatch {
  /** Null: nothing so far. */
  readonly exceeded: Exceeded | null;
  readonly peakMemoryMiB: number;
  close(): void;
}

/**
 * Ends a process that takes more than it may. At the time limit it is asked for a checkpoint and killed after `graceMs`;
 * at the memory limit it is killed at once, as the machine has no time to lose.
 */
export function watchLimits(
  process: LimitedProcess,
  { timeoutMs, memoryMiB }: RunLimits,
  { graceMs = GRACE_MS }: { readonly graceMs?: number } = {},
): LimitWatch {
  let exceeded: Exceeded | null = null;
  let peakMemoryMiB = 0;
  const timers: Timer[] = [];
  if (timeoutMs !== null) {
    timers.push(startTimer(timeoutMs, () => {
      exceeded ??= {
        status: "timeout",
        reason: `It took longer than ${formatMinutes(timeoutMs)}: give more with --timeout and run the same command ` +
          "again to go on from its checkpoint",
      };
      process.stop();
      timers.push(startTimer(graceMs, () => process.kill()));
    }));
  }
  async function look(limitMiB: number): Promise<void> {
    const memory = await residentMiB(process.pid);
    if (memory === null) return;
    peakMemoryMiB = Math.max(peakMemoryMiB, memory);
    if (memory <= limitMiB || exceeded !== null) return;
    exceeded = {
      status: "failed",
      reason: `It took ${Math.round(memory)} MiB of memory, more than the ${limitMiB} MiB of --memory: give more and ` +
        "run the same command again to go on from its checkpoint",
    };
    process.kill();
  }
  const looking = memoryMiB === null ? undefined : setInterval(() => void look(memoryMiB), LOOK_EVERY_MS);
  return {
    get exceeded() {
      return exceeded;
    },
    get peakMemoryMiB() {
      return peakMemoryMiB;
    },
    close(): void {
      clearInterval(looking);
      for (const timer of timers) timer.stop();
    },
  };
}

/** Timer that has been set. */
interface Timer {
  stop(): void;
}

/** Starts a timer for any wait, however long. */
function startTimer(ms: number, call: () => void): Timer {
  let timer: ReturnType<typeof setTimeout>;
  function wait(left: number): void {
    const next = Math.min(left, LONGEST_TIMER_MS);
    timer = setTimeout(() => left > next ? wait(left - next) : call(), next);
  }
  wait(ms);
  return { stop: () => clearTimeout(timer) };
}

function formatMinutes(ms: number): string {
  return `${Number((ms / 60_000).toPrecision(3))} minutes`;
}

/** Reads the resident memory of a process; null: it has ended, or this system does not tell. */
export async function residentMiB(pid: number): Promise<number | null> {
  const kibibytes = Deno.build.os === "linux" ? await residentKiBOfProc(pid) : await residentKiBOfPs(pid);
  return kibibytes === null ? null : kibibytes / KIB_PER_MIB;
}

async function residentKiBOfProc(pid: number): Promise<number | null> {
  try {
    const match = /^VmRSS:\s*(\d+) kB$/m.exec(await Deno.readTextFile(`/proc/${pid}/status`));
    return match ? Number(match[1]) : null;
  } catch {
    return null;
  }
}

async function residentKiBOfPs(pid: number): Promise<number | null> {
  try {
    const { stdout } = await new Deno.Command("ps", { args: ["-o", "rss=", "-p", String(pid)], stderr: "null" })
      .output();
    const text = new TextDecoder().decode(stdout).trim();
    return /^\d+$/.test(text) ? Number(text) : null;
  } catch {
    return null;
  }
}

/** Checks that this system tells how much memory a process has. @throws {InputError} If it does not. */
export async function checkMemoryWatch({ memoryMiB }: RunLimits): Promise<void> {
  if (memoryMiB === null || await residentMiB(Deno.pid) !== null) return;
  throw new InputError("Cannot watch the memory of runs on this system: leave --memory out");
}

/** Returns the memory of this machine, or of its container where that has less, in MiB. */
export function machineMemoryMiB(): number {
  return Math.min(totalmem(), containerLimit("/sys/fs/cgroup/memory.max")) / 2 ** 20;
}

/** Reads the limit that Linux states for this process's control group, in bytes. */
function containerLimit(path: string): number {
  try {
    const text = Deno.readTextFileSync(path).trim();
    return /^\d+$/.test(text) ? Number(text) : Infinity;
  } catch {
    return Infinity;
  }
}
