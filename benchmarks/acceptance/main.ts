/** `deno task acceptance [--engine NAME] [--jobs N] [--out DIR]`: the three acceptance runs and their table. */
import process from "node:process";
import { fixedRuns } from "../fixed_runs.ts";
import { acceptanceRows, acceptanceSpecs, acceptanceTable } from "./acceptance.ts";

const { text, code } = await fixedRuns(Deno.args, {
  specs: acceptanceSpecs,
  result(records, engine) {
    const rows = acceptanceRows(records, engine);
    return { text: acceptanceTable(rows), good: rows.every(({ holds }) => holds === true) };
  },
});
(code === 2 ? process.stderr : process.stdout).write(`${text}\n`);
process.exitCode = code;
