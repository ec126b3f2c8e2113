/** `deno task tune`: see `--help`. */
import process from "node:process";
import { fixedRuns } from "./fixed_runs.ts";
import { tuningRows, tuningSpecs, tuningTable } from "./tune.ts";

const { text, code } = await fixedRuns(Deno.args, {
  help: {
    task: "tune",
    about:
      "Trains the trials on held-out images that choose the hyper-parameters of protocol reduced, and shows their table",
    takes: "It starts training at once: about an hour and a half of one core with engine tensorflow",
    good: "every trial has ended",
  },
  specs: tuningSpecs,
  result(records, engine) {
    const rows = tuningRows(records, engine);
    return { text: tuningTable(rows), good: rows.every(({ best }) => best !== null) };
  },
});
(code === 2 ? process.stderr : process.stdout).write(`${text}\n`);
process.exitCode = code;
