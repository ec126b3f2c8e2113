/** Commands that the source text names are ones that a person can type. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bench } from "../../src/cli/bench.ts";
import type { Console } from "../../src/cli/console.ts";
import { data } from "../../src/cli/data.ts";
import { engine } from "../../src/cli/engine.ts";
import { exportNetwork } from "../../src/cli/export.ts";
import { measure } from "../../src/cli/measure.ts";
import { repeat } from "../../src/cli/repeat.ts";
import { report } from "../../src/cli/report.ts";
import { runs } from "../../src/cli/runs.ts";
import { teacher } from "../../src/cli/teacher.ts";
import { verifyFiles } from "../../src/cli/verify.ts";
import { worker } from "../../src/cli/worker.ts";

const COMMANDS: Record<string, (args: readonly string[], console: Console) => Promise<number>> = {
  bench,
  data,
  engine,
  export: exportNetwork,
  measure,
  repeat,
  report,
  runs,
  teacher,
  verify: verifyFiles,
  worker,
};
const SRC = fileURLToPath(new URL("../../src", import.meta.url));

function sourcesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? sourcesIn(join(folder, name)) : name.endsWith(".ts") ? [join(folder, name)] : []
  );
}

/** The help of a command, or of its part. */
async function helpOf(...[name, ...part]: readonly string[]): Promise<string> {
  let text = "";
  const stdout = (more: string) => void (text += more);
  const none = () => {}, console = { stdout, stderr: none, draw: none, paint: none, screen: null };
  await COMMANDS[name!]!([...part, name === "bench" ? "--help-all" : "--help"], {
    ...console,
    colours: false,
    terminal: false,
    columns: 80,
  });
  return text;
}

/** Finds a word of `deno task NAME WORDS` that the help does not have; null: there is none. */
async function faultOf(name: string, words: readonly string[]): Promise<string | null> {
  const isPart = /^[a-z]+$/.test(words[0] ?? "") && new RegExp(`^  ${words[0]} `, "m").test(await helpOf(name));
  const help = await helpOf(name, ...isPart ? [words[0]!] : []), usage = help.split("\n")[0]!;
  for (const [i, word] of words.slice(isPart ? 1 : 0).entries()) {
    const isValue = words[i + (isPart ? 0 : -1)]?.startsWith("--") ?? false;
    if (word.startsWith("--") && !help.includes(`  ${word} `)) return `it has no option ${word}`;
    if (!word.startsWith("--") && !isValue && !/[<[](?!options|command)/.test(usage)) return `it takes no ${word}`;
  }
  return null;
}

Deno.test("every command that the source names in backticks has the options and arguments named", async () => {
  const faults: string[] = [];
  let count = 0;
  for (const path of sourcesIn(SRC)) {
    for (const [, command] of Deno.readTextFileSync(path).matchAll(/`deno task ([^`\\$]*)\\?`/g)) {
      const [name, ...words] = command!.split(" ");
      if (!Object.hasOwn(COMMANDS, name!)) continue;
      count++;
      const fault = await faultOf(name!, words);
      if (fault !== null) faults.push(`${path}: deno task ${command}: ${fault}`);
    }
  }
  assert.deepEqual(faults, []);
  assert.ok(count > 30, `${count} commands were found`);
});
