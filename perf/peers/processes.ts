/** System information on processes and processors; Linux only, elsewhere null. */
import process from "node:process";
import { dirname, join } from "node:path";
import { cacheFolder } from "../../src/data/cache.ts";
import { InputError } from "../../src/errors.ts";
import type { SideName } from "./measurement.ts";

function readText(path: string): string | null {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return null;
  }
}

/** Largest resident memory of a process so far. */
export function peakBytes(pid: number | "self" = "self"): number | null {
  const found = readText(`/proc/${pid}/status`)?.match(/^VmHWM:\s+(\d+) kB$/m);
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

/** Reads the ticks of every processor, by its number. */
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

const TORCH = "torch==2.13.0", BREVITAS = "brevitas==0.13.4";

async function succeeds(command: string, args: readonly string[]): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(command, { args: [...args], stdout: "null", stderr: "null" }).output();
    return success;
  } catch {
    return false;
  }
}

function imports(python: string, names: string): Promise<boolean> {
  return succeeds(python, ["-c", `import ${names}`]);
}

/**
 * A Python that imports torch; one that is made here imports brevitas too.
 * @throws {InputError} If the named one does not, or none can be made.
 */
export async function findPython(named: string | null, log: (line: string) => void): Promise<string> {
  if (named !== null) {
    if (await imports(named, "torch")) return named;
    throw new InputError(
      `Cannot use --torch ${named} as it is no Python that imports torch: install ${TORCH} there, ` +
        "or leave --torch out",
    );
  }
  const folder = join(dirname(cacheFolder("data")), "peers", TORCH.replace("==", "-"));
  const python = join(folder, "bin", "python"), both = "torch, brevitas";
  if (await imports(python, both)) return python;
  log(`installing ${TORCH} and ${BREVITAS} into ${folder} (some gigabytes)`);
  const made = (await imports(python, "torch") || await succeeds("python3", ["-m", "venv", "--clear", folder])) &&
    await succeeds(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", TORCH, BREVITAS]);
  if (made && await imports(python, both)) return python;
  throw new InputError(
    `Cannot install ${TORCH} and ${BREVITAS} into "${folder}" as python3 with venv, pip, a network or disk space is ` +
      "missing: name a Python that has them with --torch",
  );
}

/** The sides that cannot run with that Python, with the reason. */
export async function obstacles(python: string): Promise<Partial<Record<SideName, string>>> {
  const compiler = Deno.env.get("CXX") ?? "g++";
  return {
    ...(await succeeds(compiler, ["--version"])
      ? {}
      : { compile: `torch.compile needs a C++ compiler, and ${compiler} is not here` }),
    ...(await imports(python, "brevitas")
      ? {}
      : { brevitas: `${python} cannot import brevitas: install ${BREVITAS} there` }),
  };
}

/** Checks whether processes can be tied to a core. */
export function canPin(): Promise<boolean> {
  return succeeds("taskset", ["-V"]);
}
