import { dataCache, DATASET_FAMILIES, DATASETS, loadDataset } from "../../datasets/mod.ts";
import { listed } from "./columns.ts";
import { commandLine, option, runCommand } from "./command_line.ts";
import type { Output } from "./console.ts";

interface DataOptions {
  readonly cache?: string;
  readonly fresh?: true;
}

/** `deno task data`: lists the data sets, or fetches one. @returns The exit code: 0 done, 2 bad input. */
export async function data(args: readonly string[], output: Output): Promise<number> {
  const line = commandLine(
    "data",
    "Fetches a data set, checks it and keeps it in the cache; without a name, lists them",
    [
      "Sources, in this order: the cache; files in the folder REQUANT_DATA; then what the README in datasets/NAME names",
      "Exit codes: 0 listed or fetched, 2 bad input",
    ],
  ).argument("[NAME]", "the data set")
    .addOption(
      option("--cache <DIR>", "folder of decoded data sets; default: that of REQUANT_CACHE, or ~/.cache/requant"),
    )
    .addOption(option("--fresh", "fetch again, in place of what the cache holds"));
  return await runCommand<DataOptions>(line, args, {
    output,
    async act({ cache = dataCache(), fresh = false }) {
      const [name] = line.args;
      if (name === undefined) return output.stdout(listText());
      const found = await loadDataset(name, { cache, fresh, log: (text) => output.stderr(`${text}\n`) });
      const { train, test, sha256 } = found;
      output.stdout(`${found.name}: ${train.count} training and ${test.count} test images, sha256 ${sha256}\n`);
    },
  });
}

function listText(): string {
  const rows = [...DATASETS, ...DATASET_FAMILIES.map(({ pattern, title }) => ({ name: pattern, title }))];
  return listed(rows.map(({ name, title }) => [name, title]));
}
