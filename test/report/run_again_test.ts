import assert from "node:assert/strict";
import { SUITE } from "../../benchmarks/mod.ts";
import { reportedPapers } from "../../src/plan/reported_papers.ts";
import { renderReports } from "../../src/report/mod.ts";
import { cli } from "../support/bench_cli.ts";
import { record, type RunChoice } from "./fixtures.ts";

const REPORTS = new URL("../../reports/", import.meta.url);

/** Ids of the runs that a command plans, teachers included. */
async function planned(command: string): Promise<string[]> {
  const args = command.split(" ").slice("deno task bench".split(" ").length);
  const { code, stdout, stderr } = await cli([...args, "--dry-run", "--json"], {
    resolveEngine: (choice) => Promise.resolve(choice === "auto" ? "wasm" : choice),
    requireBfloat16: () => Promise.resolve(),
    gpus: () => Promise.resolve([{ visible: "0", name: "NVIDIA H200", memoryMiB: 140_000 }]),
  });
  assert.equal(code, 0, `${command}: ${stderr}`);
  return JSON.parse(stdout).runs.map(({ id }: { id: string }) => id);
}

for (const page of ["fpq", "mec", "cr"]) {
  Deno.test(`the commands at the end of ${page}.md plan exactly the runs of its tables`, async () => {
    const text = Deno.readTextFileSync(new URL(`${page}.md`, REPORTS));
    const shown = [...text.matchAll(/^\| ([0-9a-f]{16}) \| /gm)].map(([, id]) => id!);
    const commands = text.split("\n").filter((line) => line.startsWith("deno task bench "));
    assert.ok(shown.length > 0 && commands.length > 0);
    const again = new Set((await Promise.all(commands.map(planned))).flat());
    assert.deepEqual([...new Set(shown)].filter((id) => !again.has(id)), [], "shown, not planned");
    assert.deepEqual([...again].filter((id) => !shown.includes(id)), [], "planned, not shown");
  });
}

/** The commands of FPQ's page with runs of one place. */
function commandsOf(place: RunChoice, arms: readonly string[]): string[] {
  const records = arms.map((arm) => record({ ...place, arm }));
  const pages = reportedPapers(SUITE.papers.filter(({ id }) => id === "fpq"), { records, suite: SUITE });
  const text = renderReports({ pages, records, deviations: {} }).find(({ path }) => path === "fpq.md")!.text;
  return text.split("\n").filter((line) => line.startsWith("deno task bench "));
}

Deno.test("the command of a run on another quantizer names it, and the method that was moved", async () => {
  const place = { protocol: "reduced", model: "resnet20", bits: [2, 2], engine: "onednn" } as const;
  const commands = commandsOf(place, ["fpq@pact", "qat@dorefa"]);
  assert.deepEqual(commands.map((line) => line.slice(line.indexOf("--table"))), [
    "--table table4 --models resnet20 --bits W2A2 --quantizer pact --seeds 0 --methods fpq",
    "--table table4 --models resnet20 --bits W2A2 --quantizer dorefa --seeds 0 --methods lsq",
  ]);
  for (const command of commands) assert.ok((await planned(command)).length > 0, command);
});

Deno.test("the command of smoke runs names their table, model and quantizer", async () => {
  const place = { protocol: "smoke", model: "resnet20", bits: [2, 2], engine: "wasm" } as const;
  const [command, ...others] = commandsOf(place, ["fpq@pact"]);
  assert.deepEqual(others, []);
  assert.match(
    command!,
    /--protocol smoke --table table4 --models resnet20 --bits W2A2 --quantizer pact --engine wasm /,
  );
  assert.deepEqual((await planned(command!)).length, 2, "full precision and the run");
});
