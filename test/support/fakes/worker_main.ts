/** `deno task worker` with fake runs and short times: `URL OUT [--FLAG=VALUE ...] [ARM=BEHAVIOUR ...]`. */
import process from "node:process";
import { worker } from "../../../src/cli/worker.ts";
import { listenForInterrupts } from "../../../src/pool/interrupts.ts";
import { fakeCommand } from "./specs.ts";
import { TEST_TIMES } from "./redis.ts";

const [url, out, ...rest] = Deno.args;
const flags = rest.filter((text) => text.startsWith("--"));
const behaviours = rest.filter((text) => !text.startsWith("--"));
const exitCode = await worker(["--queue", url!, "--out", out!, "--jobs", "2", "--engine", "wasm", ...flags], {
  resolveEngine: () => Promise.resolve("wasm"),
  prepareDataset: () => Promise.resolve(),
  command: () => fakeCommand(behaviours),
  cores: 2,
  listenForInterrupts,
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
  times: TEST_TIMES,
});
process.exit(exitCode);
