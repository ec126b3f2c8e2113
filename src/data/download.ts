import { messageOf } from "../errors.ts";

/** Options of `download`: how long it waits, and where it reports. */
export interface DownloadOptions {
  readonly fetch: typeof fetch;
  /**
   * Seconds until the server must have answered.
   * @default 5
   */
  readonly answerSeconds?: number;
  /**
   * Seconds without a byte after which the download is given up.
   * @default 30
   */
  readonly stallSeconds?: number;
  readonly log?: (message: string) => void;
}

/** Bytes between two messages. */
const LOG_EVERY_BYTES = 32e6;

/**
 * The bytes of a URL, as they come.
 * @throws {Error} If there is no answer, an answer other than 200, or the bytes stop coming.
 */
export async function* download(url: string, options: DownloadOptions): AsyncGenerator<Uint8Array, void> {
  const { answerSeconds = 5, stallSeconds = 30, log = () => {} } = options, controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  function allow(seconds: number, message: string): void {
    clearTimeout(timer);
    timer = setTimeout(() => controller.abort(new Error(message)), seconds * 1000);
  }
  try {
    allow(answerSeconds, `no answer within ${answerSeconds} s`);
    const response = await options.fetch(url, { signal: controller.signal }).catch((error) => {
      throw controller.signal.aborted ? error : new Error(`the server cannot be reached (${rootMessage(error)})`);
    });
    if (!response.ok || !response.body) {
      await response.body?.cancel();
      throw new Error(`the server answered ${response.status}`);
    }
    const total = Number(response.headers.get("content-length")), megabytes = (n: number) => Math.round(n / 1e6);
    let done = 0, said = 0;
    allow(stallSeconds, `no byte came for ${stallSeconds} s`);
    for await (const chunk of response.body) {
      done += chunk.length;
      if (done - said >= LOG_EVERY_BYTES) {
        log(`${megabytes(done)}${total ? ` of ${megabytes(total)}` : ""} MB`);
        said = done;
      }
      yield chunk;
      allow(stallSeconds, `no byte came for ${stallSeconds} s`);
    }
  } finally {
    clearTimeout(timer);
  }
}

/** Returns the message of the root cause, such as the one under a `fetch failed`. */
function rootMessage(error: unknown): string {
  return error instanceof Error && error.cause !== undefined ? rootMessage(error.cause) : messageOf(error);
}
