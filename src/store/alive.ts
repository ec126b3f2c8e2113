/** Which processes are alive, where that can be told for sure. */

/**
 * A name for this running system and its view of process numbers: equal names, comparable process numbers. Null where
 * the system has none (all but Linux): containers and machines of equal host names are then not told apart.
 */
export function thisPlace(): string | null {
  try {
    const boot = Deno.readTextFileSync("/proc/sys/kernel/random/boot_id").trim();
    return `${boot} ${Deno.readLinkSync("/proc/self/ns/pid")}`;
  } catch {
    return null;
  }
}

/** Whether process numbers of a place are those of this process. */
export function samePlace(place: string | null): boolean {
  return place !== null && place === thisPlace();
}

/** Whether a process of this place runs; one that has ended and was not yet waited for does not. */
export function isAlive(pid: number): boolean {
  try {
    // After the name in brackets, which may hold anything, comes the state.
    const state = Deno.readTextFileSync(`/proc/${pid}/stat`).replace(/^.*\) /s, "")[0];
    return state !== "Z" && state !== "X";
  } catch {
    return false;
  }
}
