/** ONNX Runtime in a process of its own. */
import { Buffer } from "node:buffer";
import { fileURLToPath } from "node:url";
import { deserialize, serialize } from "node:v8";
import { InputError } from "../../errors.ts";

/** ONNX Runtime as native code, or as WebAssembly, which every platform runs. */
export const RUNTIMES = ["native", "wasm"] as const;
export type RuntimeName = typeof RUNTIMES[number];

/** A tensor as plain data; `type` as ONNX Runtime writes it, such as `float32`. */
export interface Values {
  readonly type: string;
  readonly data: Float32Array | Uint8Array | Int8Array | Int32Array | BigInt64Array;
  readonly dims: readonly number[];
}

/** A message to the process. */
export type Request =
  | { readonly kind: "open"; readonly model: Uint8Array; readonly runtime: RuntimeName }
  | { readonly kind: "run"; readonly feeds: Readonly<Record<string, Values>>; readonly fetches: readonly string[] };

/** Its answer. */
export type Answer =
  | { readonly kind: "opened"; readonly runtime: string }
  | { readonly kind: "ran"; readonly values: Readonly<Record<string, Values>>; readonly seconds: number }
  /** This form of ONNX Runtime does not start here. */
  | { readonly kind: "unavailable"; readonly message: string }
  | { readonly kind: "failed"; readonly message: string };

/** An open network. */
export class OnnxSession implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamBYOBReader;
  /** Package and version that computes. */
  readonly runtime: string;

  private constructor(link: ReturnType<typeof start>, runtime: string) {
    this.#child = link.child;
    this.#writer = link.writer;
    this.#reader = link.reader;
    this.runtime = runtime;
  }

  /**
   * Opens a model.
   * @param wanted Left out: native, and WebAssembly where that does not start.
   * @throws {InputError} If no ONNX Runtime starts here, or it refuses the model.
   */
  static async open(model: Uint8Array, wanted?: RuntimeName): Promise<OnnxSession> {
    const missing: string[] = [];
    for (const runtime of wanted ? [wanted] : RUNTIMES) {
      const link = start(runtime), answer = await exchange(link, { kind: "open", model, runtime });
      if (answer.kind === "opened") return new OnnxSession(link, answer.runtime);
      await stop(link);
      const why = answer.kind === "ran" ? "it answers another request" : answer.message.split("\n")[0]!;
      if (answer.kind === "failed") {
        throw new InputError(
          `Cannot open the network as ONNX Runtime refuses it, "${why}": export it with operators of ONNX`,
        );
      }
      missing.push(`${runtime}: ${why}`);
    }
    throw new InputError(
      `Cannot compute a network as no ONNX Runtime starts on ${Deno.build.os} ${Deno.build.arch} (${
        missing.join("; ")
      }): ` +
        "connect this machine to the internet once, so that Deno can fetch it, or use another machine",
    );
  }

  /** Computes `fetches` from `feeds`; `seconds` is the time of the computation alone. */
  async run(
    feeds: Readonly<Record<string, Values>>,
    fetches: readonly string[],
  ): Promise<{ values: Readonly<Record<string, Values>>; seconds: number }> {
    const answer = await exchange({ writer: this.#writer, reader: this.#reader }, { kind: "run", feeds, fetches });
    if (answer.kind === "ran") return answer;
    throw new InputError(
      `Cannot compute the network as ONNX Runtime answers "${
        (answer as { message: string }).message
      }": export it again`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await stop({ child: this.#child, writer: this.#writer, reader: this.#reader });
  }
}

/** Rights of the process: native code is bound by none of them. */
const RIGHTS = ["--no-prompt", "--allow-read", "--allow-env", "--allow-sys", "--allow-ffi"];

function start(runtime: RuntimeName) {
  const main = fileURLToPath(new URL("./process_main.ts", import.meta.url));
  // one lock for each form, as all packages of a lock are fetched
  const lock = fileURLToPath(new URL(`./${runtime}.lock`, import.meta.url));
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", ...RIGHTS, "--no-config", `--lock=${lock}`, "--frozen", main],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  return { child, writer: child.stdin.getWriter(), reader: child.stdout.getReader({ mode: "byob" }) };
}

async function stop({ child, writer, reader }: ReturnType<typeof start>): Promise<void> {
  await writer.close().catch(() => {});
  await reader.cancel().catch(() => {});
  await child.status;
}

type Link = Pick<ReturnType<typeof start>, "writer" | "reader">;

async function exchange({ writer, reader }: Link, request: Request): Promise<Answer> {
  const bytes = serialize(request), length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  try {
    await writer.write(Buffer.concat([length, bytes]));
    const size = new DataView((await read(reader, 4)).buffer).getUint32(0, true);
    return deserialize(await read(reader, size)) as Answer;
  } catch {
    return { kind: "failed", message: "its process ended" };
  }
}

async function read(reader: ReadableStreamBYOBReader, size: number): Promise<Uint8Array<ArrayBuffer>> {
  let bytes = new Uint8Array(size), done = 0;
  while (done < size) {
    const part = await reader.read(new Uint8Array(bytes.buffer, done));
    if (part.done || !part.value) throw new Error("the stream ended");
    done += part.value.length;
    bytes = new Uint8Array(part.value.buffer);
  }
  return bytes;
}
