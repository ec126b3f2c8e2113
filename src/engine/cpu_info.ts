/** Linux's list of this machine's processors (/proc/cpuinfo); empty on another system, and for a process that may not read it. */
export function cpuInfo(): string {
  try {
    return Deno.readTextFileSync("/proc/cpuinfo");
  } catch {
    return "";
  }
}
