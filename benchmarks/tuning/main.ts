/** `deno task tune [--engine NAME] [--jobs N] [--out DIR]`: the trials that choose the hyper-parameters, and their table. */
import process from "node:process";
import { fixedRuns } from "../fixed_runs.ts";
import { tuningRows, tuningSpecs, tuningTable } from "./tuning.ts";

const { text, code } = await fixedRuns(Deno.args, {
  specs: tuningSpecs,
  result(records, engine) {
    const rows = tuningRows(records, engine);
    return { text: tuningTable(rows), good: rows.every(({ best }) => best !== null) };
  },
});
(code === 2 ? process.stderr : process.stdout).write(`${text}\n`);
process.exitCode = code;
