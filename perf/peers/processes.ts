/** What the system says of processes and processors; Linux only, elsewhere null. */
import process from "node:process";

function readText(path: string): string | null {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return null;
  }
}

/** Largest resident memory of this process so far. */
export function peakBytes(): number | null {
  const found = readText("/proc/self/status")?.match(/^VmHWM:\s+(\d+) kB$/m);
  return found ? 1024 * Number(found[1]) : null;
}

/** Processor time of this process so far, all threads. */
export function processSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Processors that this process may run on. */
export function allowedProcessors(): number[] | null {
  const found = readText("/proc/self/status")?.match(/^Cpus_allowed_list:\s+(\S+)$/m);
  return found ? parseProcessors(found[1]!) : null;
}

/** `0,2-4` as [0, 2, 3, 4]. */
export function parseProcessors(list: string): number[] {
  return list.split(",").flatMap((part) => {
    const [first, last = first] = part.split("-").map(Number) as [number, number?];
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

/** Ticks since the start of the machine, by processor. */
export interface Ticks {
  readonly busy: number;
  readonly total: number;
}

/** Of every processor, by its number. */
export function processorTicks(text: string | null = readText("/proc/stat")): Ticks[] {
  return [...(text ?? "").matchAll(/^cpu\d+ (.+)$/gm)].map((match) => {
    // user nice system idle iowait irq softirq steal; guest time is in user already
    const ticks = match[1]!.trim().split(/\s+/).slice(0, 8).map(Number);
    const total = ticks.reduce((sum, value) => sum + value, 0);
    return { busy: total - ticks[3]! - ticks[4]!, total };
  });
}

/** Busy share of the processors that are not in `own`, between two readings; null if there are none. */
export function othersBusy(before: readonly Ticks[], after: readonly Ticks[], own: readonly number[]): number | null {
  let busy = 0, total = 0;
  after.forEach((ticks, processor) => {
    const first = before[processor];
    if (!first || own.includes(processor)) return;
    busy += ticks.busy - first.busy;
    total += ticks.total - first.total;
  });
  return total > 0 ? busy / total : null;
}
