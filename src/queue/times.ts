import { messageOf } from "../errors.ts";
import type { ChildMessage } from "../pool/messages.ts";
import { type QueueAddress, redact } from "./url.ts";

const SAY_AGAIN_MS = 10_000;

/** How long things of a queue take, in milliseconds. */
export interface QueueTimes {
  /** A worker that is not heard of for so long has lost its runs; they are taken over within twice that. */
  readonly lockMs: number;
  /** From a failed attempt to the next one. */
  readonly retryDelayMs: number;
  /** How long a release waits before it looks for its teacher's record again. */
  readonly releaseDelayMs: number;
  /** Between two messages of a run. */
  readonly progressMs: number;
  /** Between two times that a run's checkpoint is stored in a bucket. */
  readonly pushMs: number;
  /** Between two looks for the record of a run that has ended. */
  readonly lookMs: number;
  /** Between two looks at the whole plan. */
  readonly resubmitMs: number;
  /** How long a server that does not answer is waited for at the end. */
  readonly closeMs: number;
}

/** For runs of minutes to days. */
export const DEFAULT_TIMES: QueueTimes = {
  lockMs: 60_000,
  retryDelayMs: 5000,
  releaseDelayMs: 15_000,
  progressMs: 2000,
  pushMs: 60_000,
  lookMs: 1000,
  resubmitMs: 30_000,
  closeMs: 5000,
};

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits for work to end, well or not, but not longer than `ms`. */
export async function within(work: Promise<unknown>, ms: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<void>((resolve) => void (timer = setTimeout(resolve, ms)));
  await Promise.race([work.catch(() => {}), limit]);
  clearTimeout(timer);
}

/** A listener that says an error, but not the same one again within ten seconds, and never a password. */
export function outages(say: (line: string) => void, address: QueueAddress): (error: Error) => void {
  let last = "";
  let lastAt = -Infinity;
  return (error) => {
    const text = redact(messageOf(error).split("\n")[0] ?? "", [address.password]);
    const now = performance.now();
    if (text === last && now - lastAt < SAY_AGAIN_MS) return;
    last = text;
    lastAt = now;
    say(`Queue at ${address.shown}: ${text}`);
  };
}

/** Passes on the first call of every `everyMs` milliseconds, and every end of an epoch. */
export function throttled(call: (message: ChildMessage) => void, everyMs: number): (message: ChildMessage) => void {
  let last = -Infinity;
  return (message) => {
    const now = performance.now();
    if (message.type === "progress" && now - last < everyMs) return;
    last = now;
    call(message);
  };
}
