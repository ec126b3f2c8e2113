/** `deno task acceptance`: see `--help`. */
import process from "node:process";
import { fixedRuns } from "./fixed_runs.ts";
import { acceptanceRows, acceptanceSpecs, acceptanceTable } from "./acceptance.ts";

const { text, code } = await fixedRuns(Deno.args, {
  help: {
    task: "acceptance",
    about:
      "Trains ResNet-20 on CIFAR-10 in full precision and, from it, LSQ at W4A4 and W2A2, and compares them with targets",
    takes: "It starts training at once: about an hour and a half of one core with engine tensorflow",
    good: "every target holds",
  },
  specs: acceptanceSpecs,
  result(records, engine) {
    const rows = acceptanceRows(records, engine);
    return { text: acceptanceTable(rows), good: rows.every(({ holds }) => holds === true) };
  },
});
(code === 2 ? process.stderr : process.stdout).write(`${text}\n`);
process.exitCode = code;
