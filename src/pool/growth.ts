/** Number of processes that share a GPU: as many as its memory holds, and as pay in a measured minute. */
import type { RunSpec } from "../record/spec.ts";

/** Time over which a number of processes is measured. */
const WINDOW_MS = 60_000;
/** A doubling pays if all together then train at least so many times as many images. */
const LEAST_GAIN = 1.1;
/** Part of a GPU's memory that is filled: later runs may need more than those that were measured. */
const MEMORY_SHARE = 0.8;
/** Processes that NVIDIA's MPS serves on one GPU. */
const MOST_PER_GPU = 48;

/** GPU whose use can be read. */
export interface WatchedGpu {
  readonly memoryMiB: number | null;
  /** Memory in use; null: not known. */
  readonly usedMiB: () => number | null;
  /** Processes on it. */
  readonly processes: () => number;
}

/** Options of `createGrowth`. */
export interface GrowthOptions {
  readonly gpus: readonly WatchedGpu[];
  /** The most processes on all GPUs together. */
  readonly most: number;
  /** Called with a line for people when the limit has changed, or stays for good. */
  readonly onChange: (line: string) => void;
  readonly now?: () => number;
}

/** Number of processes that grows with what it gains. */
export interface Growth {
  readonly limit: number;
  started(id: string, spec: RunSpec): void;
  /** Takes the number of steps that a run has done. */
  progress(id: string, step: number): void;
  ended(id: string): void;
}

/** Run that is being computed. */
interface Member {
  readonly kind: string;
  readonly batch: number;
  /** Step and time of its last message in the window; null: none yet. */
  last: { readonly step: number; readonly ms: number } | null;
}

/** Images and seconds of all processes of one kind of run. */
interface Pace {
  images: number;
  seconds: number;
}

/**
 * Starts with one process per GPU and doubles while that pays.
 *
 * A number is measured for a minute from when all its places are taken and each process trains. It is compared with the
 * number before by the images per second of a process of the same kind (model and method); where no kind was measured
 * before, it becomes the base of the next comparison. If it does not pay, the number before stays: processes that are
 * too many run to their end.
 */
export function createGrowth({ gpus, most, onChange, now = () => performance.now() }: GrowthOptions): Growth {
  const unused = gpus.map(({ usedMiB }) => usedMiB() ?? 0), members = new Map<string, Member>();
  const paces = new Map<string, Pace>();
  let perGpu = 1, settled = false, windowMs: number | null = null;
  let before: { readonly perGpu: number; readonly rates: ReadonlyMap<string, number> } | null = null;
  const limit = (): number => Math.max(1, Math.min(most, perGpu * gpus.length));

  /** Counts the processes per GPU that memory and machine allow, as the present ones take it. */
  function fit(): number {
    const byMemory = gpus.map(({ memoryMiB, usedMiB, processes }, i) => {
      const used = usedMiB();
      if (memoryMiB === null || used === null) return perGpu; // not known: no more
      const each = Math.max(1, (used - unused[i]!) / Math.max(1, processes()));
      return Math.floor((MEMORY_SHARE * memoryMiB - unused[i]!) / each);
    });
    return Math.min(MOST_PER_GPU, Math.floor(most / gpus.length), ...byMemory);
  }

  /** Compares all processes with those before; null: nothing to compare with. */
  function gainOf(rates: ReadonlyMap<string, number>): number | null {
    const ratios = [...rates].flatMap(([kind, rate]) => {
      const earlier = before?.rates.get(kind);
      return earlier === undefined ? [] : [rate / earlier];
    });
    if (before === null || ratios.length === 0) return null;
    return perGpu / before.perGpu * ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length;
  }

  function settle(count: number, why: string): void {
    [perGpu, settled] = [count, true];
    onChange(`${limit()} at once from now on${gpus.length === 1 ? "" : `, ${count} per GPU`}: ${why}`);
  }

  function decide(): void {
    const rates = new Map(
      [...paces].filter(([, { images }]) => images > 0).map(([kind, { images, seconds }]) => [kind, images / seconds]),
    );
    const gain = gainOf(rates);
    const gained = `${perGpu} per GPU train ${gain?.toFixed(2)} times as many images a second as ${before?.perGpu}`;
    if (gain !== null && gain < LEAST_GAIN) return settle(before!.perGpu, gained);
    before = { perGpu, rates };
    const next = Math.min(2 * perGpu, fit());
    if (next <= perGpu) return settle(perGpu, "more would not fit");
    [perGpu, windowMs] = [next, null];
    onChange(`${limit()} at once for a minute${gain === null ? "" : `, as ${gained}`}`);
  }

  return {
    get limit() {
      return limit();
    },
    started(id, { model, method, recipe }): void {
      members.set(id, { kind: `${model} ${method.name}`, batch: recipe.batchSize, last: null });
    },
    progress(id, step): void {
      const member = members.get(id), ms = now();
      if (settled || member === undefined) return;
      const { last } = member;
      member.last = { step, ms };
      if (windowMs === null) {
        if (members.size < limit() || [...members.values()].some((other) => other.last === null)) return;
        windowMs = ms;
        paces.clear();
        for (const other of members.values()) other.last = null;
        member.last = { step, ms };
      } else if (last !== null && ms > last.ms) {
        const pace = paces.get(member.kind) ?? { images: 0, seconds: 0 };
        pace.images += (step - last.step) * member.batch;
        pace.seconds += (ms - last.ms) / 1000;
        paces.set(member.kind, pace);
        if (ms - windowMs >= WINDOW_MS) decide();
      }
    },
    ended: (id) => void members.delete(id),
  };
}
