import assert from "node:assert/strict";
import { parseMeasurements } from "../../src/report/read/records.ts";
import { parseRecords } from "../../src/report/mod.ts";

const REPORTS = new URL("../../reports/", import.meta.url);
const read = (path: string) => Deno.readTextFileSync(new URL(path, REPORTS));

const PAGES = ["core.md", "fpq.md", "mec.md", "cr.md"];

Deno.test("every difference with an interval, in findings and README, stands so in a table", () => {
  const pages = PAGES.map(read).join("\n");
  for (const page of ["findings.md", "../README.md"]) {
    const told = read(page).replaceAll(/\s+/g, " ").match(/(\S+ )?\[[+-]?\d+\.\d\d, [+-]?\d+\.\d\d\]/g) ?? [];
    assert.ok(told.length > 2, page);
    assert.deepEqual(told.filter((text) => !pages.includes(text)), [], page);
  }
});

Deno.test("every accuracy and difference in the findings is one of the tables, of a record or of a measurement", () => {
  const records = ["records/", "records/replaced/"].flatMap((folder) =>
    [...Deno.readDirSync(new URL(folder, REPORTS))].filter(({ name }) => name.endsWith(".jsonl"))
      .flatMap(({ name }) => parseRecords(read(folder + name), name))
  );
  const measurements = [...Deno.readDirSync(new URL("measurements/", REPORTS))].filter(({ name }) =>
    name.endsWith(".jsonl")
  ).flatMap(({ name }) => parseMeasurements(read(`measurements/${name}`), name));
  const known = new Set([
    ...PAGES.flatMap((page) => read(page).match(/\d+\.\d\d\b/g) ?? []),
    ...records.flatMap(({ curve }) => curve.map(({ testTop1Percent }) => testTop1Percent.toFixed(2))),
    ...measurements.flatMap(({ values }) =>
      Object.entries(values).flatMap(([name, value]) => /top1Percent$/i.test(name) ? [Number(value).toFixed(2)] : [])
    ),
  ]);
  const told = read("findings.md").replaceAll(/\d{4}\.\d{5}/g, "").match(/\d+\.\d\d\b/g) ?? [];
  assert.ok(told.length > 0);
  assert.deepEqual(told.filter((number) => !known.has(number)), []);
});

Deno.test("the findings name no page that is not there", () => {
  for (const [, path] of read("findings.md").matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)) {
    assert.ok(Deno.statSync(new URL(path!, REPORTS)).isFile, path!);
  }
});
