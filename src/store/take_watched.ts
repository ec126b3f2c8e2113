import { setTimeout as sleep } from "node:timers/promises";
import { DEFAULT_LOCK_TIMES, type Locks, type LockTimes } from "./locks.ts";

/** Options of `takeWatched`. */
export interface WatchOptions {
  /** Those of the locks. */
  readonly times?: LockTimes;
  /** Is given a line before a wait. */
  readonly say?: (line: string) => void;
}

/**
 * Takes runs. A holder of another machine, or of this one before a restart, is first watched for signs of life. That takes
 * as long as a scheduler may be silent, a minute in all.
 *
 * @returns Those that were taken.
 */
export async function takeWatched(
  locks: Locks,
  ids: readonly string[],
  { times: { staleMs, lookMs } = DEFAULT_LOCK_TIMES, say = () => {} }: WatchOptions = {},
): Promise<Set<string>> {
  const taken = new Set<string>();
  /** Takes what can be taken. @returns Those whose holder may be dead. */
  function look(left: readonly string[]): string[] {
    return left.filter((id) => {
      const holder = locks.take(id);
      if (holder === "taken") taken.add(id);
      return holder !== "taken" && !holder.isHere;
    });
  }
  let left = look(ids);
  if (left.length > 0) {
    const seconds = Math.ceil(staleMs / 1000);
    say(
      `Looking for up to ${seconds} s if whoever has ${
        left.join(", ")
      }, on another machine or before a restart, is alive`,
    );
  }
  for (let waited = 0; left.length > 0 && waited <= staleMs; waited += lookMs) {
    await sleep(lookMs);
    left = look(left);
  }
  return taken;
}
