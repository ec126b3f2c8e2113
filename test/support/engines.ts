/** The engines that tests run on: wasm always, tensorflow and onednn where their libraries are found (CI installs them). */
import * as tf from "@tensorflow/tfjs-core";
import { searchLibtensorflow } from "../../src/engine/locate.ts";
import { openEngine } from "../../src/engine/mod.ts";
import { locateOneDnn } from "../../src/engine/onednn/locate.ts";
import type { Engine, EngineName } from "../../src/engine/types.ts";

const { found: tensorflow } = await searchLibtensorflow(), onednn = await locateOneDnn();

/** Names of the engines of this machine. */
export const ENGINES: readonly EngineName[] = [
  "wasm",
  ...(tensorflow ? ["tensorflow"] as const : []),
  ...(onednn ? ["onednn"] as const : []),
];

/** Registers `name` once for each engine, with that engine current. */
export function testOnEngines(name: string, body: (engine: Engine) => void | Promise<void>): void {
  for (const engineName of ENGINES) {
    Deno.test(`${name} [${engineName}]`, async () => {
      const engine = await openEngine(engineName);
      await tf.setBackend(engineName);
      await body(engine);
    });
  }
}
