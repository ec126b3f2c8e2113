/**
 * The process that ONNX Runtime works in: it reads requests from stdin and writes answers to stdout.
 *
 * A process of its own, started without deno.json: whatever a command of the suite imports is installed by all commands, and
 * ONNX Runtime has some hundred megabytes. Its packages are pinned by native.lock and wasm.lock instead.
 */
import { Buffer } from "node:buffer";
import process from "node:process";
import { deserialize, serialize } from "node:v8";
import type { Answer, Request, Values } from "./onnx_session.ts";

const VERSION = "1.30.0";
const PACKAGES = { native: "onnxruntime-node", wasm: "onnxruntime-web" } as const;

/** The part of ONNX Runtime's interface that is used here; both packages have it. */
interface OnnxRuntime {
  readonly env: { readonly logLevel: string };
  readonly Tensor: new (type: string, data: unknown, dims: readonly number[]) => unknown;
  readonly InferenceSession: {
    create(model: Uint8Array, options: Record<string, unknown>): Promise<Session>;
  };
}

interface Session {
  run(feeds: Record<string, unknown>, fetches: readonly string[]): Promise<Record<string, Values>>;
}

let runtime: OnnxRuntime, session: Session;

async function answer(request: Request): Promise<Answer> {
  if (request.kind === "open") {
    // not a literal, so that no other command sees the package
    const loaded = await import(`npm:${PACKAGES[request.runtime]}@${VERSION}`).catch(String);
    if (typeof loaded === "string") return { kind: "unavailable", message: loaded };
    runtime = loaded.default ?? loaded;
    session = await runtime.InferenceSession.create(request.model, {
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      logSeverityLevel: 3,
    });
    return { kind: "opened", runtime: `${PACKAGES[request.runtime]} ${VERSION}` };
  }
  const feeds = Object.entries(request.feeds).map(([name, { type, data, dims }]) =>
    [name, new runtime.Tensor(type, data, dims)] as const
  );
  const began = performance.now(), found = await session.run(Object.fromEntries(feeds), request.fetches);
  const seconds = (performance.now() - began) / 1000;
  const values = Object.entries(found).map(([name, { type, data, dims }]) => [name, { type, data, dims }] as const);
  return { kind: "ran", values: Object.fromEntries(values), seconds };
}

/** The messages from stdin, each behind its length. */
async function* frames(): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [], held = 0, wanted = 4;
  for await (const chunk of process.stdin) {
    parts.push(chunk as Buffer);
    held += (chunk as Buffer).length;
    while (held >= wanted) {
      const bytes = Buffer.concat(parts), end = 4 + bytes.readUInt32LE(0);
      wanted = end;
      parts = [bytes];
      if (held < end) break;
      yield bytes.subarray(4, end);
      parts = [bytes.subarray(end)];
      held -= end;
      wanted = 4;
    }
  }
}

if (import.meta.main) {
  for await (const frame of frames()) {
    let reply: Answer;
    try {
      reply = await answer(deserialize(frame) as Request);
    } catch (error) {
      reply = { kind: "failed", message: error instanceof Error ? error.message : String(error) };
    }
    const bytes = serialize(reply), length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    process.stdout.write(Buffer.concat([length, bytes]));
  }
}
