/** `deno task dev:engine-speed`: see `--help`. */
import { synthetic } from "../../datasets/synthetic.ts";
import { commandLine, option, runCommand, wholeNumber } from "../../src/cli/command_line.ts";
import { openConsole } from "../../src/cli/console.ts";

const count = (name: string) => wholeNumber(name, { to: 1000, remedy: "leave it out for the default" });

const line = commandLine(
  "dev:engine-speed",
  "Measures what engine wasm gains over plain tfjs, on a training step of ResNet-20 with LSQ W4A4; JSON on stdout",
  ["It takes about a minute", "Exit codes: 0 measured, 2 bad input"],
).addOption(option("--batch <N>", "images per step", count("batch")).default(16, "16"))
  .addOption(option("--rounds <N>", "steps of each side", count("rounds")).default(5, "5"));

const output = openConsole();
Deno.exit(
  await runCommand<{ batch: number; rounds: number }>(line, Deno.args, {
    output,
    async act({ batch, rounds }) {
      const { compareWasm } = await import("./compare.ts"); // tensor code, which help does not need
      const work = { model: "resnet20", bits: 4, batch, rounds } as const;
      const speed = await compareWasm({ ...work, dataset: await synthetic.load({ cache: "" }) });
      output.stdout(`${JSON.stringify(speed, null, 2)}\n`);
    },
  }),
);
