/** The site of the committed records, for the tests that look at its pages. */
import { SUITE } from "../../benchmarks/mod.ts";
import { renderReports } from "../../src/cli/services.ts";
import { reportedPapers } from "../../src/plan/reported_papers.ts";
import { parseMeasurements, parseRecords } from "../../src/report/mod.ts";

const REPORTS = new URL("../../reports/", import.meta.url);

function committed<T>(folder: string, parse: (text: string, source: string) => T[]): T[] {
  return [...Deno.readDirSync(new URL(folder, REPORTS))].filter(({ name }) => name.endsWith(".jsonl"))
    .flatMap(({ name }) => parse(Deno.readTextFileSync(new URL(folder + name, REPORTS)), name));
}

/** The files by path below the site's root; texts are made when they are asked for. */
export async function committedSite(): Promise<Map<string, { readonly text: string }>> {
  const records = committed("records/", parseRecords), measurements = committed("measurements/", parseMeasurements);
  const pages = reportedPapers(SUITE.papers, { records, suite: SUITE });
  const files = await renderReports({ pages, records, deviations: {}, core: SUITE.core, measurements });
  return new Map(files.filter(({ path }) => path.startsWith("site/")).map((file) => [file.path.slice(5), file]));
}
