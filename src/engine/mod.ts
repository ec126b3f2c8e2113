/** Opens the engine that a run computes with. */
import { InputError } from "../errors.ts";
import { type Libtensorflow, searchLibtensorflow } from "./locate.ts";
import type { Engine, EngineChoice, EngineName } from "./types.ts";

export type { Compiled, CompileOptions, Engine, EngineChoice, EngineName, Program, TensorTree } from "./types.ts";

/**
 * The engine that `choice` means on this machine; nothing is opened.
 * @throws {InputError} If tensorflow is asked for and not found.
 */
export async function resolveEngineName(choice: EngineChoice): Promise<EngineName> {
  return await libraryFor(choice) ? "tensorflow" : "wasm";
}

/** The libtensorflow that `choice` means; null: engine wasm. */
async function libraryFor(choice: EngineChoice): Promise<Libtensorflow | null> {
  if (choice === "wasm") return null;
  const { found, passedOver } = await searchLibtensorflow();
  if (found || choice === "auto") return found;
  const met = passedOver.length > 0 ? ` (${passedOver.join("; ")})` : "";
  throw new InputError(
    `Cannot use engine tensorflow as libtensorflow was not found${met}: run \`deno task engine install\`, ` +
      "set REQUANT_LIBTENSORFLOW to a libtensorflow_cc of version 2.21, or take --engine wasm",
  );
}

/**
 * Opens an engine and makes it the current one.
 * @throws {InputError} If it is not there or cannot be opened.
 */
export async function openEngine(choice: EngineChoice, options: { threads?: number } = {}): Promise<Engine> {
  const found = await libraryFor(choice);
  if (!found) {
    const { openWasmEngine } = await import("./wasm/engine.ts");
    return await openWasmEngine();
  }
  const { openTensorFlowEngine } = await import("./tensorflow/engine.ts");
  return openTensorFlowEngine({ ...found, threads: options.threads ?? 1 });
}
