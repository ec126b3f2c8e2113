// deno-lint-ignore-file no-console
/** `deno task data`: see `--help`. */
import process from "node:process";
import { parseArgs } from "node:util";
import { InputError, messageOf } from "../errors.ts";
import { dataCache, DATASET_FAMILIES, DATASETS, loadDataset } from "../../datasets/mod.ts";

const HELP = `Fetches a data set, checks it and keeps it in the cache; without a name, lists the data sets.

Usage: deno task data [NAME] [--cache DIR] [--fresh]

  --cache DIR  folder of decoded data sets (now ${dataCache()})
  --fresh      fetch anew, in place of what the cache holds
  --help       print this

Sources, in this order: the cache; files in the folder REQUANT_DATA; then what the README in datasets/NAME names.`;

function parseArguments(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: { cache: { type: "string" }, fresh: { type: "boolean" }, help: { type: "boolean" } },
    });
  } catch (error) {
    throw new InputError(`Cannot read the flags as ${messageOf(error).split(". ")[0]}: see deno task data --help`);
  }
}

async function main(args: string[]): Promise<void> {
  const { values, positionals: [name, surplus] } = parseArguments(args);
  if (values.help) return console.log(HELP);
  if (surplus !== undefined) {
    throw new InputError(`Cannot fetch more than one data set: "${surplus}" follows "${name}"`);
  }
  if (values.cache === "") throw new InputError("Cannot use --cache as it must name a folder: it is empty");
  if (name === undefined) {
    const rows = [...DATASETS, ...DATASET_FAMILIES.map(({ pattern, title }) => ({ name: pattern, title }))];
    const width = Math.max(...rows.map(({ name }) => name.length));
    for (const { name, title } of rows) console.log(`${name.padEnd(width)}  ${title}`);
    return;
  }
  const dataset = await loadDataset(name, {
    cache: values.cache ?? dataCache(),
    fresh: values.fresh ?? false,
    log: (line) => console.error(line),
  });
  console.log(
    `${dataset.name}: ${dataset.train.count} training and ${dataset.test.count} test images, sha256 ${dataset.sha256}`,
  );
}

try {
  await main(Deno.args);
} catch (error) {
  if (!(error instanceof InputError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
