/** All commands of `deno task`, but the process of a run, which has fewer rights: child.ts. */
import { commandLine, helpAlone, runCommand } from "./command_line.ts";
import { type Console, openConsole } from "./console.ts";

type Run = (args: readonly string[], console: Console) => Promise<number>;

/** A command: a sentence of it, and its module, loaded when it is called. */
const COMMANDS: Readonly<Record<string, readonly [about: string, load: () => Promise<Run>]>> = {
  bench: [
    "train the methods of a paper and compare them with its numbers",
    async () => (await import("./bench.ts")).bench,
  ],
  report: [
    "write the tables and the site from the committed records",
    async () => (await import("./report.ts")).report,
  ],
  runs: ["list, show, tail and clean the runs of a folder", async () => (await import("./runs.ts")).runs],
  export: [
    "write the network of a finished run as ONNX and safetensors",
    async () => (await import("./export.ts")).exportNetwork,
  ],
  verify: ["evaluate ONNX files in ONNX Runtime", async () => (await import("./verify.ts")).verifyFiles],
  repeat: ["train a recorded run again and compare it", async () => (await import("./repeat.ts")).repeat],
  measure: ["measure the networks of finished runs", async () => (await import("./measure.ts")).measure],
  teacher: [
    "import a full-precision network trained by PyTorch",
    async () => (await import("./teacher.ts")).teacher,
  ],
  data: ["list data sets, or fetch one", async () => (await import("./data.ts")).data],
  engine: ["install the fast engine, or check an engine", async () => (await import("./engine.ts")).engine],
  worker: ["compute runs of a queue", async () => (await import("./worker.ts")).worker],
  acceptance: ["show that training reaches its targets", async () => (await import("./acceptance.ts")).acceptance],
  tune: ["choose the hyper-parameters of protocol reduced", async () => (await import("./tune.ts")).tune],
  "tune-equal": [
    "tune every quantized arm by equally many trials",
    async () => (await import("./tune_equal.ts")).tuneEqual,
  ],
};

async function main([name, ...args]: readonly string[]): Promise<number> {
  // `runs` only prints: copying and deleting is done before it reports
  const console = openConsole(() => {
    if (name === "runs") Deno.exit(0);
  });
  if (name !== undefined && Object.hasOwn(COMMANDS, name)) return await (await COMMANDS[name]![1]())(args, console);
  const line = commandLine("", "Reproduces papers on quantization-aware training");
  for (const [command, [about]] of Object.entries(COMMANDS)) line.command(command).description(about);
  const all = name === undefined ? [] : [name, ...args];
  return helpAlone(line, all, console) ? 0 : await runCommand(line, all, { output: console });
}

// an engine, or a connection to a server that does not answer, would keep the process alive
Deno.exit(await main(Deno.args));
