/** The engine and the data of commands that open networks of runs; each is loaded when it is asked for. */
import type { Dataset } from "../data/types.ts";
import type { Engine, EngineChoice } from "../engine/types.ts";
import type { Output } from "./console.ts";

/** Services of the commands `export`, `measure` and `verify`; left out: this machine's. */
export interface NetworkServices extends Output {
  readonly openEngine?: (choice: EngineChoice) => Promise<Engine>;
  readonly loadDataset?: (name: string, log: (line: string) => void) => Promise<Dataset>;
  /** True: stderr is a terminal, which may show a bar. */
  readonly terminal?: boolean;
}

/** The engine that the services open; `auto` is the one that trained the run, as others round sums otherwise. */
export async function engineOf(
  { openEngine }: NetworkServices,
  { choice, own }: { readonly choice: EngineChoice; readonly own: EngineChoice },
): Promise<Engine> {
  const open = openEngine ?? (await import("../engine/mod.ts")).openEngine;
  return await open(choice === "auto" ? own : choice);
}

/** The data set that the services load. */
export async function datasetOf({ loadDataset, stderr }: NetworkServices, name: string): Promise<Dataset> {
  const load = loadDataset ?? (await import("./services.ts")).loadDataset;
  return await load(name, (line) => stderr(`${line}\n`));
}
