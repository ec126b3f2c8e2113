import { totalmem } from "node:os";

const BYTES_PER_MIB = 2 ** 20;

/** Memory that processes of this machine may have together, in MiB: the machine's, or less where a container has a limit. */
export function machineMemoryMiB(): number {
  return Math.min(totalmem(), containerLimit("/sys/fs/cgroup/memory.max")) / BYTES_PER_MIB;
}

/** The limit that Linux states for this process's control group, in bytes. */
function containerLimit(path: string): number {
  try {
    const text = Deno.readTextFileSync(path).trim();
    return /^\d+$/.test(text) ? Number(text) : Infinity;
  } catch {
    return Infinity;
  }
}
