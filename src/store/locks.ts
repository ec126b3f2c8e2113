/** Locks: several schedulers share the runs of a folder, and one that lost a run writes to it no more. */
import { createHash, randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { z } from "zod";
import { LostRunError } from "../record/trainer.ts";
import {
  createExclusive,
  makeFolder,
  namesIn,
  pathBelow,
  readTextIfThere,
  removeIfThere,
  writeFileAtomic,
} from "./files.ts";
import { runFile, runFolder } from "./store.ts";

/** Times of locks, in milliseconds of a clock that only runs forward. */
export interface LockTimes {
  /** Time between two signs of life of a scheduler. */
  readonly beatMs: number;
  /** Time without a sign of life after which a scheduler counts as dead, and its runs are taken over. */
  readonly staleMs: number;
  /** Time between two looks at a run that another scheduler has. */
  readonly lookMs: number;
}

export const DEFAULT_LOCK_TIMES: LockTimes = { beatMs: 5000, staleMs: 60_000, lookMs: 1000 };

const lockSchema = z.strictObject({
  schema: z.literal(1),
  /** Random text, new for every lock: whoever knows it may write to the run. */
  nonce: z.string(),
  /** Scheduler, by the name of its file of signs of life. */
  owner: z.string().regex(/^[0-9a-f-]{36}$/),
  host: z.string(),
  pid: z.int(),
  place: z.string().nullable(),
  /** Queue that gave it the run; null: none. */
  queue: z.string().nullable(),
});

const beatSchema = z.strictObject({
  schema: z.literal(1),
  pid: z.int(),
  place: z.string().nullable(),
  beat: z.int(),
  /** Processes of its runs by run id. */
  children: z.record(z.string(), z.int()),
});

/** Scheduler that has a run. */
export type Holder = Pick<z.infer<typeof lockSchema>, "host" | "pid"> & { readonly isHere: boolean };

/** Options of `openLocks`. */
export interface LockOptions {
  /** Queue that this worker takes runs from: the queue itself gives each of its runs to one worker at a time. */
  readonly queue?: string;
  readonly times?: Partial<LockTimes>;
  /** Called when another scheduler has taken a run over, or may have done so. */
  readonly onLost?: (id: string) => void;
}

/** Locks of one scheduler on one folder. */
export interface Locks {
  /** Takes a run, or returns who has it. @throws {InputError} If the folder cannot be written. */
  take(id: string): "taken" | Holder;
  /** Returns the nonce of a run that was taken, for its process; null: it is not held. */
  nonceOf(id: string): string | null;
  /** Checks, just before a write, that a taken run was not taken over. @throws {LostRunError} If it was. */
  requireHeld(id: string): void;
  /** Names the process of a run that was taken. */
  note(id: string, pid: number): void;
  /** Gives a run back; does nothing if it was lost. */
  release(id: string): void;
  close(): void;
}

/**
 * Checks that a run's lock still has a nonce: a process that was suspended may have lost the run meanwhile.
 * @throws {LostRunError} If it has not.
 */
export function requireLock(out: string, id: string, nonce: string): void {
  if (parse(lockSchema, readTextIfThere(lockFile(out, id)) ?? "")?.nonce !== nonce) throw new LostRunError(id);
}

function lockFile(out: string, id: string): string {
  return runFile(out, id, "lock.json");
}

/** Returns the file where a scheduler gives its signs of life. */
function beatFile(out: string, owner: string): string {
  return pathBelow(out, "schedulers", `${owner}.json`);
}

/** Returns who has a run by its lock, alive or not; null: nobody. */
export function holderOf(out: string, id: string): Holder | null {
  const text = readTextIfThere(lockFile(out, id));
  if (text === null) return null;
  const { host, pid, place } = parse(lockSchema, text) ?? { host: "unknown", pid: 0, place: null };
  return { host, pid, isHere: samePlace(place) };
}

/**
 * Opens the locks of a scheduler: several schedulers on one folder then share its runs.
 *
 * A lock is `runs/<id>/lock.json`, made by an exclusive create and never changed. Its owner gives signs of life in
 * `schedulers/<owner>.json`, a counter. Whoever wants the run watches that counter by its own steady clock: no clock of
 * another machine and no time of a file is ever compared, so a clock that is set back changes nothing. An owner whose
 * counter stood still for `staleMs` is dead; one of the same machine, as soon as it and the run's process are gone.
 *
 * Taking over and giving back both need the lock's claim, a file by the hash of the lock's text, made by an exclusive
 * create: of two that find the same dead owner one wins, and the other then finds another lock.
 *
 * @throws {InputError} If the folder cannot be written.
 */
export function openLocks(out: string, options: LockOptions = {}): Locks {
  const times = { ...DEFAULT_LOCK_TIMES, ...options.times };
  const owner = randomUUID();
  const held = new Map<string, string>();
  const children: Record<string, number> = {};
  const seen = new Map<string, { readonly text: string; readonly sinceMs: number }>();
  let count = 0;
  let beatenAtMs = performance.now();
  makeFolder(pathBelow(out, "schedulers"));
  forgetDead(out);
  beat();

  function beat(): void {
    const life: z.infer<typeof beatSchema> = { schema: 1, pid: Deno.pid, place: thisPlace(), beat: count++, children };
    writeFileAtomic(beatFile(out, owner), JSON.stringify(life));
    beatenAtMs = performance.now();
  }

  function isStale(what: string, text: string): boolean {
    const before = seen.get(what);
    if (before?.text === text) return performance.now() - before.sinceMs >= times.staleMs;
    seen.set(what, { text, sinceMs: performance.now() });
    return false;
  }

  function isDead(id: string, text: string): boolean {
    const lock = parse(lockSchema, text);
    if (lock === null) return isStale(id, text);
    if (options.queue !== undefined && lock.queue === options.queue) return true;
    const life = readTextIfThere(beatFile(out, lock.owner));
    if (samePlace(lock.place) && !isAlive(lock.pid)) {
      const child = parse(beatSchema, life ?? "")?.children[id];
      return child === undefined || !isAlive(child);
    }
    return isStale(id, `${text} ${life}`);
  }

  /** Runs `change` for the one scheduler that gets the claim of a lock. */
  function underClaim(id: string, text: string, change: () => void): boolean {
    const hash = createHash("sha256").update(text).digest("hex").slice(0, 12);
    const claims: string[] = [];
    for (let tries = 0;; tries++) {
      const claim = runFile(out, id, `lock.${hash}.${tries}.claim`);
      claims.push(claim);
      if (createExclusive(claim, owner)) break;
      // Whoever made it may have died before it was done.
      if (!isStale(claim, "")) return false;
    }
    const mine = readTextIfThere(lockFile(out, id)) === text;
    if (mine) change();
    claims.forEach(removeIfThere);
    return mine;
  }

  function take(id: string): "taken" | Holder {
    const path = lockFile(out, id);
    const queue = options.queue ?? null;
    const mine = { schema: 1, nonce: randomUUID(), owner, host: hostname(), pid: Deno.pid, place: thisPlace(), queue };
    const own = JSON.stringify(mine);
    makeFolder(runFolder(out, id));
    for (let tries = 0; tries < 3; tries++) {
      if (createExclusive(path, own)) {
        held.set(id, own);
        return "taken";
      }
      const text = readTextIfThere(path);
      // Given back in between.
      if (text === null) continue;
      if (isDead(id, text) && underClaim(id, text, () => writeFileAtomic(path, own))) {
        held.set(id, own);
        return "taken";
      }
      break;
    }
    return holderOf(out, id) ?? { host: "unknown", pid: 0, isHere: false };
  }

  function nonceOf(id: string): string | null {
    return parse(lockSchema, held.get(id) ?? "")?.nonce ?? null;
  }

  function requireHeld(id: string): void {
    const nonce = nonceOf(id);
    if (nonce === null) throw new LostRunError(id);
    requireLock(out, id, nonce);
  }

  function note(id: string, pid: number): void {
    children[id] = pid;
    try {
      beat();
    } catch {
      // The next sign of life tells it.
    }
  }

  function release(id: string): void {
    const text = held.get(id);
    if (text === undefined) return;
    held.delete(id);
    delete children[id];
    underClaim(id, text, () => removeIfThere(lockFile(out, id)));
  }

  function lose(id: string): void {
    held.delete(id);
    delete children[id];
    options.onLost?.(id);
  }

  const beating = setInterval(() => {
    try {
      for (const [id, text] of held) if (readTextIfThere(lockFile(out, id)) !== text) lose(id);
      beat();
    } catch {
      // Others do not hear of this scheduler: it gives up before they may take over.
      if (performance.now() - beatenAtMs > times.staleMs / 2) [...held.keys()].forEach(lose);
    }
  }, times.beatMs);

  function close(): void {
    clearInterval(beating);
    for (const id of [...held.keys()]) {
      try {
        release(id);
      } catch {
        // A folder that refuses writes: what was being written has its own error by then.
      }
    }
    removeIfThere(beatFile(out, owner));
  }
  return { take, nonceOf, requireHeld, note, release, close };
}

/** Deletes the signs of life of killed schedulers of this machine, once the processes of their runs have ended too. */
function forgetDead(out: string): void {
  for (const name of namesIn(pathBelow(out, "schedulers"))) {
    const path = pathBelow(out, "schedulers", name);
    const life = parse(beatSchema, readTextIfThere(path) ?? "");
    if (life === null || !samePlace(life.place)) continue;
    if (![life.pid, ...Object.values(life.children)].some(isAlive)) removeIfThere(path);
  }
}

function parse<Value>(schema: z.ZodType<Value>, text: string): Value | null {
  try {
    return schema.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}

/**
 * Names this running system and its view of process numbers: equal names, comparable process numbers. Null where the
 * system has no such name (all but Linux): containers and machines of equal host names cannot be told apart there.
 */
export function thisPlace(): string | null {
  try {
    const boot = Deno.readTextFileSync("/proc/sys/kernel/random/boot_id").trim();
    return `${boot} ${Deno.readLinkSync("/proc/self/ns/pid")}`;
  } catch {
    return null;
  }
}

/** Tells if process numbers of a place are those of this process. */
function samePlace(place: string | null): boolean {
  return place !== null && place === thisPlace();
}

/** Tells if a process of this place runs; one that has ended and was not yet waited for does not. */
export function isAlive(pid: number): boolean {
  try {
    // After the name in brackets, which may hold anything, comes the state.
    const state = Deno.readTextFileSync(`/proc/${pid}/stat`).replace(/^.*\) /s, "")[0];
    return state !== "Z" && state !== "X";
  } catch {
    return false;
  }
}
