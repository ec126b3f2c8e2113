import { InputError } from "../errors.ts";

/** What a run's process may take; null: as much as it likes. */
export interface RunLimits {
  /** From the start of the process; a run that goes on from a checkpoint has all of it again. */
  readonly timeoutMs: number | null;
  /** Resident memory, in MiB. */
  readonly memoryMiB: number | null;
}

export const NO_LIMITS: RunLimits = { timeoutMs: null, memoryMiB: null };

/** Between two looks at a process's memory. */
const LOOK_EVERY_MS = 250;
/** How long a process may take to write its checkpoint when its time is over. */
export const GRACE_MS = 10_000;
const KIB_PER_MIB = 1024;
/** A timer that is set for longer goes off at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** A process, as limits see it. */
export interface LimitedProcess {
  readonly pid: number;
  /** Asks it to checkpoint and stop. */
  stop(): void;
  /** Ends it at once. */
  kill(): void;
}

/** What a process ran into. */
export interface Exceeded {
  readonly status: "failed" | "timeout";
  readonly reason: string;
}

/** Watches a process until `close`. */
export interface LimitWatch {
  /** Null: nothing so far. */
  readonly exceeded: Exceeded | null;
  readonly peakMemoryMiB: number;
  close(): void;
}

/**
 * Ends a process that takes more than it may: at the time limit it is asked for a checkpoint and ended after `graceMs`;
 * at the memory limit it is ended at once, as the machine has no time to lose.
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

/** A timer that has been set. */
interface Timer {
  stop(): void;
}

/** Calls back once, however long the wait. */
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

/** Resident memory of a process; null: it has ended, or this system does not tell. */
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

/** @throws {InputError} If this system does not tell how much memory a process has. */
export async function checkMemoryWatch({ memoryMiB }: RunLimits): Promise<void> {
  if (memoryMiB === null || await residentMiB(Deno.pid) !== null) return;
  throw new InputError("Cannot watch the memory of runs on this system: leave --memory out");
}
