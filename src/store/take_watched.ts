import { setTimeout as sleep } from "node:timers/promises";
import { DEFAULT_LOCK_TIMES, type Locks, type LockTimes } from "./locks.ts";

/**
 * Takes runs. A holder of another machine, or of this one before it was started again, is watched for signs of life first,
 * for as long as a scheduler may be silent: a minute in all.
 *
 * @returns Those that were taken.
 */
export async function takeWatched(
  locks: Locks,
  ids: readonly string[],
  { staleMs, lookMs }: Pick<LockTimes, "staleMs" | "lookMs"> = DEFAULT_LOCK_TIMES,
): Promise<Set<string>> {
  const taken = new Set<string>();
  /** Those that may be dead, as only time tells. */
  function look(left: readonly string[]): string[] {
    return left.filter((id) => {
      const holder = locks.take(id);
      if (holder === "taken") taken.add(id);
      return holder !== "taken" && !holder.isHere;
    });
  }
  let left = look(ids);
  for (let waited = 0; left.length > 0 && waited <= staleMs; waited += lookMs) {
    await sleep(lookMs);
    left = look(left);
  }
  return taken;
}
