import assert from "node:assert/strict";
import { download } from "../../src/data/download.ts";

/** A server that gives `chunks`, then ends, or hangs where `hang` is set; `hang` alone gives no answer. */
function server(options: { chunks?: readonly Uint8Array[]; status?: number; hang?: boolean }): typeof fetch {
  return (_url, init) => {
    const { chunks, status = 200, hang = false } = options, signal = init!.signal!;
    const aborted = new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    aborted.catch(() => {});
    if (!chunks) return aborted;
    const waiting = [...chunks];
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        const chunk = waiting.shift();
        if (chunk) controller.enqueue(chunk);
        else if (hang) await aborted;
        else controller.close();
      },
    });
    return Promise.resolve(new Response(body as ReadableStream<Uint8Array<ArrayBuffer>>, { status }));
  };
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<number[]> {
  const bytes: number[] = [];
  for await (const chunk of chunks) bytes.push(...chunk);
  return bytes;
}

Deno.test("download() gives the bytes as they come", async () => {
  const fetch = server({ chunks: [Uint8Array.of(1, 2), Uint8Array.of(3)] });
  assert.deepEqual(await collect(download("http://host/file", { fetch })), [1, 2, 3]);
});

Deno.test("download() fails on an answer that is an error", async () => {
  const fetch = server({ chunks: [Uint8Array.of(1)], status: 404 });
  await assert.rejects(collect(download("http://host/file", { fetch })), { message: "the server answered 404" });
});

Deno.test("download() gives up where no answer comes", async () => {
  const fetch = server({});
  await assert.rejects(collect(download("http://host/file", { fetch, answerSeconds: 0.02 })), {
    message: "no answer within 0.02 s",
  });
});

Deno.test("download() gives up where the bytes stop coming", async () => {
  const fetch = server({ chunks: [Uint8Array.of(1)], hang: true });
  await assert.rejects(collect(download("http://host/file", { fetch, stallSeconds: 0.02 })), {
    message: "no byte came for 0.02 s",
  });
});

Deno.test("download() says why a server cannot be reached", async () => {
  const fetch = () => Promise.reject(new TypeError("fetch failed", { cause: new Error("no route to host") }));
  await assert.rejects(collect(download("http://host/file", { fetch })), {
    message: "the server cannot be reached (no route to host)",
  });
});
