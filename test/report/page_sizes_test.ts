import assert from "node:assert/strict";
import { SUITE } from "../../benchmarks/mod.ts";
import { reportedPapers } from "../../src/plan/reported_papers.ts";
import { parseMeasurements } from "../../src/report/read/records.ts";
import { parseRecords, renderReports } from "../../src/report/mod.ts";

/** A page that a phone loads and lays out without a wait. */
const LARGEST_BYTES = 250_000;
const REPORTS = new URL("../../reports/", import.meta.url);

function committed<T>(folder: string, parse: (text: string, source: string) => T[]): T[] {
  return [...Deno.readDirSync(new URL(folder, REPORTS))].filter(({ name }) => name.endsWith(".jsonl"))
    .flatMap(({ name }) => parse(Deno.readTextFileSync(new URL(folder + name, REPORTS)), name));
}

Deno.test("no page of the site of the committed records is larger than 250 KB", () => {
  const records = committed("records/", parseRecords), measurements = committed("measurements/", parseMeasurements);
  const pages = reportedPapers(SUITE.papers, { records, suite: SUITE });
  const files = renderReports({ pages, records, deviations: {}, core: SUITE.core, measurements })
    .filter(({ path }) => path.endsWith(".html"));
  assert.ok(files.some(({ path }) => path === "site/fpq_level_span.html"));
  const large = files.map(({ path, text }) => ({ path, bytes: new TextEncoder().encode(text).length }))
    .filter(({ bytes }) => bytes > LARGEST_BYTES);
  assert.deepEqual(large, []);
});
