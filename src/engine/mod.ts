/**
 * Engines: what computes tensors. `Engine` is their interface.
 *
 * @example Compile a program and run it
 * ```ts
 * import { openEngine, type Tensor } from "@requant/requant/engine";
 * import { mul, sum, tensor } from "npm:@tensorflow/tfjs-core@4.22.0";
 * import assert from "node:assert/strict";
 *
 * const engine = await openEngine("wasm"); // or "auto": the fastest of this machine
 * const squares = engine.compile(({ x }: { x: Tensor }) => ({ y: sum(mul(x, x)) }));
 * const { y } = squares({ x: tensor([1, 2, 3]) });
 * assert.equal((await y.data())[0], 14);
 * ```
 * @module
 */
import { InputError } from "../errors.ts";
import { gpuExpected, type Libtensorflow, searchLibtensorflow } from "./locate.ts";
import { locateOneDnn, type OneDnnLibrary, processorServes } from "./onednn/locate.ts";
import { type Engine, type EngineChoice, type EngineName, type Precision, PRECISION_ENGINES } from "./types.ts";

export type { Leaves, Tree } from "../tree.ts";
export * from "./types.ts";

/** An engine, and the library that it needs. */
type Chosen =
  | { readonly name: "wasm" }
  | { readonly name: "onednn"; readonly found: OneDnnLibrary }
  | { readonly name: "tensorflow"; readonly found: Libtensorflow };

/**
 * The engine that `choice` means on this machine; nothing is opened.
 * @throws {InputError} If an engine is asked for whose library is not found.
 */
export async function resolveEngineName(choice: EngineChoice): Promise<EngineName> {
  return (await choose(choice)).name;
}

/** The library that an engine loads; null: none. */
export async function libraryOf(name: EngineName): Promise<string | null> {
  const chosen = await choose(name);
  return chosen.name === "wasm" ? null : chosen.found.library;
}

/**
 * Checks that an engine computes in bfloat16 on this machine.
 * @throws {InputError} If it does not.
 */
export async function requireBfloat16(name: EngineName): Promise<void> {
  requirePrecision(await choose(name), "bf16");
  const isa = await instructionsOf(name);
  if (isa !== null) (await import("./onednn/isa.ts")).requireBfloat16(isa);
}

/** The instruction set that an engine uses on this machine, by oneDNN's name; null: the engine has none. */
export async function instructionsOf(name: EngineName): Promise<string | null> {
  const chosen = await choose(name);
  if (chosen.name !== "onednn") return null;
  const { OneDnn } = await import("./onednn/library.ts");
  return new OneDnn(chosen.found.library).isa;
}

/** @throws {InputError} If another engine has that precision. */
function requirePrecision({ name }: Chosen, precision: Precision = "float32"): void {
  const owner = precision === "float32" ? name : PRECISION_ENGINES[precision];
  if (name === owner) return;
  throw new InputError(
    `Cannot compute in ${precision} as engine ${name} does not have it: take --engine ${owner}, or leave --precision out`,
  );
}

async function choose(choice: EngineChoice): Promise<Chosen> {
  if (choice === "wasm") return { name: "wasm" };
  if (choice === "auto") return await fastest();
  if (choice === "onednn") {
    const found = await locateOneDnn();
    if (found) return { name: "onednn", found };
    throw new InputError(
      "Cannot use engine onednn as oneDNN was not found: run `deno task engine install`, set REQUANT_ONEDNN to a " +
        "libdnnl.so.3, or take --engine tensorflow or wasm",
    );
  }
  const { found, passedOver } = await searchLibtensorflow();
  if (found) return { name: "tensorflow", found };
  const met = passedOver.length > 0 ? ` (${passedOver.join("; ")})` : "";
  throw new InputError(
    `Cannot use engine tensorflow as libtensorflow was not found${met}: run \`deno task engine install\`, ` +
      "set REQUANT_LIBTENSORFLOW to a libtensorflow_cc of version 2.21, or take --engine wasm",
  );
}

/** The fastest engine that is installed: `tensorflow` on a GPU or where its library is named, else `onednn`. */
async function fastest(): Promise<Chosen> {
  const tensorflowFirst = Deno.env.get("REQUANT_LIBTENSORFLOW") || await gpuExpected();
  const onednn = tensorflowFirst || !processorServes() ? null : await locateOneDnn();
  if (onednn) return { name: "onednn", found: onednn };
  const { found } = await searchLibtensorflow();
  return found ? { name: "tensorflow", found } : { name: "wasm" };
}

/**
 * Opens an engine and makes it the current one.
 * @throws {InputError} If it is not there or cannot be opened.
 */
export async function openEngine(
  choice: EngineChoice,
  options: { threads?: number; precision?: Precision } = {},
): Promise<Engine> {
  const chosen = await choose(choice);
  requirePrecision(chosen, options.precision);
  switch (chosen.name) {
    case "wasm": {
      const { openWasmEngine } = await import("./wasm/engine.ts");
      return await openWasmEngine();
    }
    case "onednn": {
      const { openOneDnnEngine } = await import("./onednn/engine.ts");
      return openOneDnnEngine({ ...chosen.found, ...options });
    }
    case "tensorflow": {
      const { openTensorFlowEngine } = await import("./tensorflow/engine.ts");
      return openTensorFlowEngine({ ...chosen.found, ...options });
    }
  }
}
