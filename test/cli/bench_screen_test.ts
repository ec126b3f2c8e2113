import assert from "node:assert/strict";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { benchScreen, type ScreenInput } from "../../src/cli/bench_screen.ts";
import type { RunRecord } from "../../src/record/record.ts";
import type { BaseProtocol } from "../../src/record/spec.ts";
import { cli } from "../support/bench_cli.ts";
import { withFolder } from "../support/fakes/specs.ts";
import { PAGE, record, runs } from "../report/fixtures.ts";

const FP = runs({ arm: "fp", bits: null }, [90, 90.2, 89.9]);
const LSQ = runs({ arm: "lsq" }, [80, 80.5, 80.2], FP), GOOD = runs({ arm: "good" }, [81.1, 81.4, 81.2], FP);

const OPTIONS = { paper: "demo", protocols: ["paper"], out: "runs" } as const;

function screen(
  records: readonly RunRecord[],
  { columns = 80, rows = 24, colours = false, args = ["--paper", "demo"], options = OPTIONS, ...changes }:
    & Partial<Omit<ScreenInput, "options">>
    & {
      options?: Omit<ScreenInput["options"], "args">;
      args?: readonly string[];
      columns?: number;
      rows?: number;
      colours?: boolean;
    } = {},
): string {
  return benchScreen({
    pages: [PAGE],
    options: { ...options, args },
    outcome: { records, unfinished: [] },
    planned: records.length,
    site: null,
    ...changes,
  }, { screen: { columns, rows }, colours });
}

Deno.test("benchScreen() has a row per arm: top-1, difference to LSQ with its interval, seeds and verdict", () => {
  const lines = screen([...FP, ...LSQ, ...GOOD]).split("\n");
  assert.deepEqual(lines.slice(0, 2), [PAGE.title, "Protocol paper, 9 of 9 runs done"]);
  assert.match(lines[3]!, /^ResNet-18 W2A2 CIFAR-10 +top-1 +to LSQ \[95 %\] +n {2}verdict$/);
  const row = (title: string) => lines.find((line) => line.startsWith(title))!;
  assert.match(row("Full precision"), /90\.03 ± 0\.15 +3 {2}not comparable$/);
  assert.match(row("LSQ"), /80\.23 ± 0\.25 +3 {2}not comparable$/);
  assert.match(row("Good"), /81\.23 ± 0\.15 {2}\+1\.00 \[\+0\.75, \+1\.25\] {2}3 {2}\w+/);
  assert.deepEqual(lines.slice(-3), [
    "Next, add the records to reports/records and write the pages",
    "  deno task report --collect runs",
    "",
  ]);
});

Deno.test("benchScreen() shows the tables of every protocol of a plan: of its own, and of an imported start", () => {
  const started = record({ arm: "good", protocol: "paper-from-0123abcd", top1Percent: 82 });
  const options = { ...OPTIONS, protocols: ["paper", "paper-from-0123abcd"] } as const;
  const text = screen([...FP, ...LSQ, started], { options, rows: 60 });
  assert.match(text, /^Protocol paper; paper, from imported network 0123abcd, 7 of 7 runs done$/m);
  assert.match(text, /^LSQ +80\.23 /m);
  assert.match(text, /^Good +82\.00 /m);
});

Deno.test("benchScreen() holds every line within the columns, and the whole within the rows", () => {
  const reason = "the process ended with code 1: " + "x".repeat(200);
  const widths = [[4, 4], [2, 2]] as const;
  const records = [
    ...FP,
    ...widths.flatMap((bits) => [
      ...runs({ arm: "lsq", bits }, [80, 80.5, 80.2], FP),
      record({ arm: "good", bits, top1Percent: null, reason }),
    ]),
  ];
  for (const columns of [120, 80, 40]) {
    const text = screen(records, { columns });
    for (const line of text.split("\n")) {
      assert.ok([...line].length <= columns || line.startsWith("  deno task "), `${columns}: ${line}`);
    }
    assert.match(text, /^failed {2}2 runs: the process ended/m);
  }
  for (const [rows, hidden] of [[24, 0], [18, 1], [3, 1]] as const) {
    const text = screen(records, { rows });
    assert.ok(rows === 3 || text.trimEnd().split("\n").length < rows, text);
    assert.equal(/^(\d) more table on the page$/m.exec(text)?.[1] ?? "0", String(hidden));
  }
  assert.match(
    screen(records, { columns: 40 }),
    /^ResNet-18 W4A4 CIFAR-10\nFull precision\n {2}90\.03 ± 0\.15 \(n 3\)\n {2}not comparable$/m,
  );
});

Deno.test("benchScreen() has one line per cause of failure, with the skipped students of a teacher", () => {
  const teacher = record({
    arm: "fp",
    bits: null,
    top1Percent: null,
    status: "diverged",
    reason: "loss is NaN at step 7",
  });
  const other = record({
    arm: "fp",
    bits: null,
    seed: 1,
    top1Percent: null,
    status: "diverged",
    reason: "loss is NaN at step 9",
  });
  const student = (arm: string) =>
    record({ arm, top1Percent: null, teacher: teacher.id, reason: "Its teacher ended as diverged" });
  const alone = record({ arm: "good", seed: 2, top1Percent: null, status: "timeout", reason: "over 5 min" });
  const text = screen([teacher, other, student("lsq"), student("good"), alone]);
  const causes = text.split("\n").filter((line) => /^(failed|diverged|timeout) /.test(line));
  assert.deepEqual(causes, [
    "diverged  2 runs, 2 students skipped: loss is NaN at step 7",
    "timeout  good resnet18 W2A2 seed 2: over 5 min",
  ]);
  assert.match(text, /^Full precision +diverged +0\/2 {2}/m);
});

Deno.test("benchScreen() colours what failed and diverged, links the page, and does neither without colours", () => {
  const bad = [
    ...LSQ.map((run) => ({ ...run, spec: { ...run.spec, teacher: null } })),
    record({ arm: "good", top1Percent: null, status: "diverged", reason: "loss is NaN" }),
    record({ arm: "good", seed: 1, top1Percent: null, reason: "no memory" }),
  ];
  const site = join(Deno.cwd(), "runs/reports/site/index.html");
  const coloured = screen(bad, { colours: true, site });
  assert.ok(coloured.includes("\x1b[33mdiverged\x1b[39m") && coloured.includes("\x1b[31mfailed\x1b[39m"), coloured);
  assert.ok(coloured.includes(`\x1b]8;;file://${site}\x1b\\runs/reports/site/index.html\x1b]8;;\x1b\\`), coloured);
  const plain = screen(bad, { site });
  assert.ok(!plain.includes("\x1b"));
  assert.equal(stripVTControlCharacters(coloured), plain);
});

Deno.test("benchScreen() shows control characters of a record, and no password", () => {
  const text = screen([record({ arm: "good", top1Percent: null, reason: "bad \x1b[2J\nforged" })], {
    args: ["--paper", "demo", "--queue", "redis://:hunter2@box", "--out", "my runs"],
    options: { paper: "demo", protocols: ["paper"], out: "my runs" },
  });
  assert.match(text, /^failed {2}good resnet18 W2A2 seed 0: bad \\u001b\[2J forged$/m);
  assert.match(text, /^ {2}deno task runs show [0-9a-f]{16} --out 'my runs'\n {2}deno task bench .* --out 'my runs'$/m);
  assert.ok(!text.includes("hunter2"), text);
});

Deno.test("benchScreen() says how to go on: after a stop, after smoke, and with --out where it was given", () => {
  const rest = { outcome: { records: FP, unfinished: [{ id: LSQ[0]!.id, spec: LSQ[0]!.spec }] }, planned: 4 };
  assert.match(screen(FP, rest), /^Stopped with 1 run to go\. Next\n {2}deno task bench --paper demo$/m);
  const smoke = { paper: "demo", protocols: ["smoke"], out: "a" } as const;
  const next = (args: string[]) => screen(FP, { options: smoke, args }).trimEnd().split("\n").at(-1);
  assert.equal(next([]), "  deno task bench --paper demo --protocol reduced --dry-run");
  assert.equal(next(["--out=a"]), "  deno task bench --paper demo --protocol reduced --dry-run --out a");
  const only = (...protocols: BaseProtocol[]) => {
    const pages = [{ ...PAGE, tables: PAGE.tables.map((table) => ({ ...table, protocols })) }];
    return screen(FP, { pages, options: smoke, args: [] }).trimEnd().split("\n").at(-1);
  };
  assert.equal(only("full"), "  deno task bench --paper demo --protocol full --dry-run");
  assert.equal(only("smoke", "paper"), "  deno task bench --paper demo --protocol paper --dry-run");
});

Deno.test("bench ends with the screen on a terminal, the same when there is nothing to do, and with Markdown by --print", () =>
  withFolder(async (out) => {
    let painted = "";
    const terminal = { screen: { columns: 80, rows: 24 }, paint: (text: string) => void (painted += text) };
    const args = ["--paper", "mec", "--out", out];
    const first = await cli(args, terminal), before = painted;
    assert.deepEqual([first.code, first.stdout], [0, ""]);
    assert.match(before, /^MEC-Quant: .*\n.*\nProtocol smoke, 3 of 3 runs done\n\nResNet-8 W4A4 CIFAR-10 /);
    painted = "";
    assert.equal((await cli(args, terminal)).code, 0);
    assert.equal(painted, before);
    painted = "";
    const printed = await cli([...args, "--print"], terminal);
    assert.deepEqual([printed.stdout, painted], ["# 3 records\n\n", ""]);
    assert.equal(JSON.parse((await cli([...args, "--json"], terminal)).stdout).records.length, 3);
  }));
