import assert from "node:assert/strict";
import { parse as parseCsv } from "csv-parse/sync";
import { parse as parseYaml } from "yaml";
import { IMPORT_COLUMNS, importedResults, parseImport } from "../../../src/report/read/imported.ts";
import { movedCells, renderReports } from "../../../src/report/mod.ts";
import { PAGE, record, RECORDS, runs } from "../fixtures.ts";

const FILES = rendered({});

function rendered(options: Partial<Parameters<typeof renderReports>[0]>): Map<string, string> {
  const files = renderReports({ pages: [PAGE], records: RECORDS, deviations: {}, ...options });
  return new Map(files.map(({ path, text }) => [path, text]));
}

function file(name: string, files = FILES): string {
  const text = files.get(name);
  assert.ok(text !== undefined, name);
  return text;
}

type Line = Record<string, string>;

Deno.test("the wide CSV has a row a method and width, and four columns a model", () => {
  const lines = parseCsv(file("site/data/demo_wide.csv"), { columns: true }) as Line[];
  const good = lines.find(({ method, bits, protocol }) =>
    method === "good" && bits === "W2A2" && protocol === "paper"
  )!;
  assert.deepEqual(
    [good["resnet18_published"], good["resnet18_mean"], good["resnet18_sd"], good["resnet18_n"], good["resnet20_n"]],
    ["87.5", "89.5333", "0.3215", "3", ""],
  );
  const reduced = lines.find(({ method, protocol }) => method === "good" && protocol === "reduced")!;
  assert.deepEqual([reduced["resnet18_mean"], reduced["resnet20_mean"], reduced["resnet20_sd"]], ["", "85.5", ""]);
  const tidy = parseCsv(file("demo.csv"), { columns: true }) as Line[];
  assert.equal(lines.length, new Set(tidy.map((row) => [row["protocol"], row["method"], row["w_bits"]].join())).size);
});

Deno.test("the JSON has the tidy cells, their seeds with the ids of their runs, and what the page says", () => {
  const document = JSON.parse(file("site/data/demo.json"));
  assert.equal(document.schema, 1);
  assert.equal(document.paper.arxiv, PAGE.arxiv);
  const tidy = parseCsv(file("demo.csv"), { columns: true }) as Line[];
  assert.equal(document.cells.length, tidy.length);
  tidy.forEach((row, index) => {
    for (const [name, text] of Object.entries(row)) {
      assert.equal(String(document.cells[index][name] ?? ""), text, `${name} of cell ${index}`);
    }
  });
  // deno-lint-ignore no-explicit-any
  const good = document.cells.find((cell: any) =>
    cell.method === "good" && cell.w_bits === 2 && cell.protocol === "paper"
  );
  const wanted = RECORDS.filter(({ spec }) =>
    spec.arm === "good" && spec.protocol === "paper" && spec.dataset.evaluateOn === "test"
  );
  assert.deepEqual(
    good.seeds,
    wanted.map(({ id, spec, metrics }) => ({ seed: spec.seed, run: id, top1_percent: metrics!["top1Percent"] })),
  );
  assert.deepEqual(document.assumptions, PAGE.assumptions);
  assert.deepEqual(document.imported, []);
});

Deno.test("the model index has an entry a measured cell with its accuracy, and no published number", () => {
  const entries = parseYaml(file("site/data/demo_model_index.yaml"))["model-index"];
  // deno-lint-ignore no-explicit-any
  const byName = new Map<string, any>(entries.map((entry: any) => [entry.name, entry]));
  assert.equal(byName.size, entries.length);
  const [result] = byName.get("ResNet-18 W2A2 Good").results;
  assert.deepEqual(result.task.type, "image-classification");
  assert.deepEqual(result.dataset, { type: "cifar10", name: "CIFAR-10", split: "test" });
  assert.equal(result.metrics[0].type, "accuracy");
  assert.equal(result.metrics[0].value, 89.5333);
  assert.equal(result.metrics[0].args.seeds, 3);
  assert.ok(byName.has("ResNet-18 W2A2 Copy (stand-in)"), "a label goes where the number goes");
  assert.ok(!byName.has("ResNet-18 W4A4 Good"), "no run, no entry");
  assert.doesNotMatch(file("site/data/demo_model_index.yaml"), /87\.5\b/);
});

Deno.test("the LaTeX tables have a row a cell, balanced braces, and no bare special character", () => {
  const page = { ...PAGE, tables: [{ ...PAGE.tables[0]!, title: "50 % of A_1 & {B} #2 ~ ^ \\x" }] };
  const text = file("site/data/demo.tex", rendered({ pages: [page] }));
  assert.match(text, /\\toprule\n[^]*\\midrule\n[^]*\\bottomrule/);
  assert.match(
    text,
    /50 \\% of A\\_1 \\& \\\{B\\\} \\#2 \\textasciitilde\{\} \\textasciicircum\{\} \\textbackslash\{\}x/,
  );
  const bare = text.replace(/\\[{}&%#_$]/g, "");
  assert.equal(bare.split("{").length, bare.split("}").length);
  assert.equal(text.match(/\\begin\{table\}/g)!.length, text.match(/\\end\{table\}/g)!.length);
  const cells = text.split("\n").filter((line) => line.endsWith("\\\\") && line.includes(" & ")).slice(1);
  for (const line of cells) assert.equal(line.split(/(?<!\\)&/).length, 6, line);
  assert.match(text, /^ {4}Good & 87\.50 & 89\.53 \$\\pm\$ 0\.32 \(3\) & \$\+1\.50\$ & \$\+1\.47\$ \[\$\+/m);
});

Deno.test("a LaTeX table too long for a page goes on in a table of its own, and no row is lost", () => {
  const models = Array.from({ length: 30 }, (_, index) => `model${index}`);
  const records = models.flatMap((model) => ["lsq", "good"].map((arm) => record({ model, arm })));
  const text = file("site/data/demo.tex", rendered({ records }));
  const tables = text.split("\\end{table}").slice(0, -1);
  assert.ok(tables.length > 1);
  for (const table of tables) assert.ok(table.split("\n").filter((line) => line.endsWith("\\\\")).length <= 41, table);
  const labels = [...text.matchAll(/\\label\{(.*?)\}/g)].map(([, label]) => label);
  assert.equal(new Set(labels).size, labels.length);
  assert.ok(text.includes("Protocol paper, continued (2). Top-1"));
  for (const index of models.keys()) assert.equal(text.match(new RegExp(`\\{model${index}, W2A2\\}`, "g"))?.length, 1);
});

const HEADER = IMPORT_COLUMNS.join(",") + "\n";

function line(method: string, seed: number, top1: number, rest = "MQ 1,paper,"): string {
  return `demo,t1,cifar10,resnet18,${method},2,2,${seed},${top1},${rest}\n`;
}

Deno.test("parseImport() reads quoted notes, empty widths and columns in any order", () => {
  const text = "tool,protocol,notes,paper,table,dataset,model,method,w_bits,a_bits,seed,top1_percent\r\n" +
    'MQ 1,paper,"a, ""b""\nand c",demo,t1,cifar10,resnet18,fp,,,0,92.5\r\n\r\n' +
    "MQ 1,reduced,,demo,t1,cifar10,resnet18,lsq,2,4,1,80\r\n";
  const [first, second] = parseImport("\ufeff" + text, "mq.csv");
  assert.deepEqual([first!.w_bits, first!.a_bits, first!.notes, first!.place], [
    null,
    null,
    'a, "b"\nand c',
    "line 2 of mq.csv",
  ]);
  assert.deepEqual([second!.w_bits, second!.a_bits, second!.seed, second!.top1_percent, second!.place], [
    2,
    4,
    1,
    80,
    "line 5 of mq.csv",
  ]);
});

Deno.test("importedResults() starts quantized runs from method fp, whatever other full precision stands before it", () => {
  const row = (method: string, bits: string, top1: number) =>
    `demo,t1,cifar10,resnet18,${method},${bits},${bits},0,${top1},MQ,paper,\n`;
  const lines = [row("fp_long", "", 92), row("fp", "", 90), row("lsq", "2", 88)];
  const [, fp, lsq] = importedResults(parseImport(HEADER + lines.join(""), "mq.csv"));
  assert.equal(lsq!.start!.id, fp!.id);
  const [, alone] = importedResults(parseImport(HEADER + lines[0] + lines[2], "mq.csv"));
  assert.equal(alone!.start, null);
});

Deno.test("parseImport() says which line and column is wrong", () => {
  const wrong = (row: string) => () => parseImport(HEADER + line("lsq", 0, 80) + row, "mq.csv");
  const cases: [string, RegExp][] = [
    [
      "demo,t1,cifar10,resnet18,lsq,2,2,1,101,MQ,paper,\n",
      /^Cannot import line 3 of mq\.csv as top1_percent: must be at most 100, current value is "101"$/,
    ],
    [
      "demo,t1,cifar10,resnet18,lsq,2,2,x,80,MQ,paper,\n",
      /line 3 of mq\.csv as seed: must be a whole number, current value is "x"/,
    ],
    [
      "demo,t1,cifar10,resnet18,lsq,2.5,2,1,80,MQ,paper,\n",
      /as w_bits: must be empty or a whole number from 1 to 32, current value is "2\.5"/,
    ],
    [
      "demo,t1,cifar10,resnet18,lsq,2,,1,80,MQ,paper,\n",
      /line 3 of mq\.csv as w_bits and a_bits must both be given or both be empty$/,
    ],
    ["demo,t1,cifar10,resnet18,lsq,2,2,1,80,MQ,whole,\n", /as protocol: .*current value is "whole"/],
    ["demo,t1,cifar10,resnet18,lsq,2,2,1,80,,paper,\n", /as tool: .*current value is ""/],
    ["demo,t1\n", /^Cannot import mq\.csv as it is not well-formed CSV: .* on line 3$/],
  ];
  for (const [row, message] of cases) assert.throws(wrong(row), { name: "InputError", message });
  assert.throws(() => parseImport(HEADER, "mq.csv"), {
    name: "InputError",
    message: "Cannot import mq.csv as it has no line below its first: give it a line for each run",
  });
  assert.throws(() => parseImport("", "mq.csv"), {
    message: /must name the columns paper, table, .*: missing paper, table/,
  });
  assert.throws(() => parseImport("papers," + HEADER, "mq.csv"), { message: /: unknown papers$/ });
  // the last of two columns of one name would win
  assert.throws(() => parseImport("seed," + HEADER, "mq.csv"), { message: /, each once: named twice seed$/ });
  assert.throws(() => parseImport("tool,x,tool," + HEADER, "mq.csv"), { message: /: unknown x; named twice tool$/ });
  assert.throws(() => parseImport(HEADER.replace("notes", "seed"), "mq.csv"), {
    message: /: missing notes; named twice seed$/,
  });
});

function imported(text: string): Map<string, string> {
  return rendered({ imported: parseImport(HEADER + text, "mq.csv") });
}

Deno.test("imported runs get a verdict by the same rules, from the tool's own LSQ", () => {
  // the tool's runs are ours, 10 points lower: the same differences, so the same verdicts
  const lowered = RECORDS.filter(({ spec, status }) =>
    spec.protocol === "paper" && spec.quantization !== null && status === "done" && spec.dataset.evaluateOn === "test"
  ).map(({ spec, metrics }) => line(spec.arm, spec.seed, metrics!["top1Percent"]! - 10)).join("");
  const document = JSON.parse(file("site/data/demo.json", imported(lowered)));
  // deno-lint-ignore no-explicit-any
  const of = (cells: any[], method: string) => cells.find((cell) => cell.method === method && cell.n > 0);
  for (const method of ["good", "bad", "wide"]) {
    const theirs = of(document.imported, method), ours = of(document.cells, method);
    assert.equal(theirs.tool, "MQ 1");
    assert.equal(theirs.verdict, ours.verdict, method);
    assert.ok(Math.abs(theirs.mean - ours.mean + 10) < 1e-9, method);
    assert.ok(Math.abs(theirs.diff_to_lsq - ours.diff_to_lsq) < 1e-9, method);
  }
  assert.equal(file("demo.csv", imported(lowered)), file("demo.csv"), "no cell of ours has moved");
});

Deno.test("an imported run of a reduced protocol is not comparable; a method of the user's own is shown by its name", () => {
  const text = [0, 1, 2].map((seed) =>
    line("lsq", seed, 80 + seed, "Own,reduced,") + line("mine", seed, 81 + seed, "Own,reduced,half the epochs")
  ).join("");
  const files = imported(text);
  // deno-lint-ignore no-explicit-any
  const mine = JSON.parse(file("site/data/demo.json", files)).imported.find((cell: any) => cell.method === "mine");
  assert.deepEqual([mine.verdict, mine.published, mine.mean], ["not_comparable", null, 82]);
  assert.match(file("demo.md", files), /^\*\*Own: Table 1: CIFAR-10, protocol reduced\*\*$/m);
  assert.match(file("demo.md", files), /^Notes of Own:\n\n- half the epochs$/m);
});

Deno.test("an import is refused where its paper, table or data set does not exist or a seed counts twice", () => {
  const cases: [string, RegExp][] = [
    [
      "nope,t1,cifar10,resnet18,lsq,2,2,0,80,MQ,paper,\n",
      /^Cannot import line 2 of mq\.csv as paper "nope" has no page: choose one of demo$/,
    ],
    ["demo,t9,cifar10,resnet18,lsq,2,2,0,80,MQ,paper,\n", /as demo has no table "t9": choose one of t1$/],
    ["demo,t1,mnist,resnet18,lsq,2,2,0,80,MQ,paper,\n", /as t1 of demo is on cifar10: current value is "mnist"$/],
    [
      line("lsq", 0, 80) + line("lsq", 0, 81),
      /^Cannot import line 3 of mq\.csv as each seed of a cell must count once: seed 0 is in line 2 of mq\.csv already/,
    ],
  ];
  for (const [text, message] of cases) assert.throws(() => imported(text), { name: "InputError", message });
  // the same seed of another tool is another cell
  assert.ok(imported(line("lsq", 0, 80) + line("lsq", 0, 81, "Other tool,paper,")));
});

Deno.test("movedCells() names new, gone and changed cells, and no other", () => {
  const before = [
    ...runs({}, [80, 81]),
    record({ arm: "bad", top1Percent: 70 }),
    record({ arm: "wide", top1Percent: 60 }),
  ];
  const now = [
    ...runs({}, [80, 81]),
    record({ arm: "bad", top1Percent: 71 }),
    record({ arm: "good", top1Percent: 82 }),
  ];
  const text = movedCells([PAGE], { since: "v1", before, now });
  const moved = text.split("\n").filter((row) => row.startsWith("| demo")).map((row) =>
    row.split("|").slice(6, -1).map((cell) => cell.trim())
  );
  assert.deepEqual(moved, [
    ["Good", "no run", "82.00 (1)", "", "not run -> inconclusive"],
    ["Bad", "70.00 (1)", "71.00 (1)", "+1.00", "inconclusive"],
    ["Wide", "60.00 (1)", "no run", "", "inconclusive -> not run"],
  ]);
  assert.match(
    movedCells([PAGE], { since: "v1", before, now: before.toReversed() }),
    /^No cell moved: 4 runs then, 4 runs now\./m,
  );
});

Deno.test("no file of a report holds a control character, whatever the reason of a run holds", () => {
  const odd = "\x1b[31mred\x07 \x9b2J \u202e\u2028 end";
  const files = rendered({ records: [...RECORDS, record({ arm: "good", seed: 9, top1Percent: null, reason: odd })] });
  assert.match(file("demo.md", files), /\\u001b\[31mred\\u0007/);
  for (const [path, text] of files) {
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(text, /[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u202e]/, path);
  }
});
