/** Results of other tools under the rules that ours are judged by: each tool is a laboratory of its own. */
import { InputError } from "../../errors.ts";
import type { ProtocolLabel } from "../../record/spec.ts";
import { aggregate } from "./aggregate.ts";
import { reportSections, type ReportTable } from "./tables.ts";
import type { ArmTitle, Paper, Table } from "../../catalog/paper.ts";
import { importedResults, type ImportedRun } from "../read/imported.ts";

/** One tool's cells of one table under one protocol. */
export interface ImportedSection {
  readonly tool: string;
  readonly protocol: ProtocolLabel;
  /** Rows with a run of the tool; differences are to the tool's own LSQ and full precision of the same seed. */
  readonly table: ReportTable;
  readonly notes: readonly string[];
}

/**
 * The imported cells of a page. Methods and widths that the table lacks are added to it, by their names in the file.
 *
 * @throws {InputError} If a run's table or data set is not the page's, or a seed is there twice in a cell.
 */
export function importedSections(page: Paper<ArmTitle>, imported: readonly ImportedRun[]): ImportedSection[] {
  const own = imported.filter(({ paper }) => paper === page.id);
  for (const run of own) requireTable(page, run);
  requireDistinctSeeds(own);
  return [...new Set(own.map(({ tool }) => tool))].sort().flatMap((tool) =>
    page.tables.flatMap((table) => {
      const runs = own.filter((run) => run.tool === tool && run.table === table.id);
      if (runs.length === 0) return [];
      const sections = reportSections(widened(page, { table, runs }), aggregate(importedResults(runs)));
      return sections.filter((section) => section.runs.length > 0).map(({ protocol, tables }) => ({
        tool,
        protocol,
        table: { ...tables[0]!, table, rows: tables[0]!.rows.filter(({ n }) => n > 0) },
        notes: [
          ...new Set(runs.filter((run) => run.protocol === protocol && run.notes !== "").map(({ notes }) => notes)),
        ],
      }));
    })
  );
}

/** @throws {InputError} If a run is of a paper that has no page. */
export function requirePapers(pages: readonly Paper<ArmTitle>[], imported: readonly ImportedRun[]): void {
  const ids = pages.map(({ id }) => id);
  for (const { paper, place } of imported) {
    if (ids.includes(paper)) continue;
    throw new InputError(`Cannot import ${place} as paper "${paper}" has no page: choose one of ${ids.join(", ")}`);
  }
}

function requireTable(page: Paper<ArmTitle>, { table, dataset, place }: ImportedRun): void {
  const found = page.tables.find(({ id }) => id === table);
  if (found === undefined) {
    const ids = page.tables.map(({ id }) => id).join(", ");
    throw new InputError(`Cannot import ${place} as ${page.id} has no table "${table}": choose one of ${ids}`);
  }
  if (found.dataset !== dataset) {
    throw new InputError(
      `Cannot import ${place} as ${table} of ${page.id} is on ${found.dataset}: current value is "${dataset}"`,
    );
  }
}

function requireDistinctSeeds(runs: readonly ImportedRun[]): void {
  const places = new Map<string, string>();
  for (const { place, top1_percent: _top1, notes: _notes, ...key } of runs) {
    const before = places.get(JSON.stringify(key));
    if (before !== undefined) {
      throw new InputError(
        `Cannot import ${place} as each seed of a cell must count once: seed ${key.seed} is in ${before} already, so ` +
          "take one of them away",
      );
    }
    places.set(JSON.stringify(key), place);
  }
}

/** The page with this table alone, wide enough for what was imported. */
function widened(
  page: Paper<ArmTitle>,
  { table, runs }: { table: Table<ArmTitle>; runs: readonly ImportedRun[] },
): Paper<ArmTitle> {
  const { protocols: _, ...ofAnyProtocol } = table, known = new Set(page.arms.map(({ id }) => id));
  const methods = [...new Set(runs.map(({ method }) => method))].map((id) =>
    page.arms.find((arm) => arm.id === id) ?? { id, title: id, label: null }
  );
  const bits = runs.flatMap(({ w_bits, a_bits }) => w_bits === null ? [] : [{ weights: w_bits, activations: a_bits! }]);
  return {
    ...page,
    tables: [{ ...ofAnyProtocol, arms: [...table.arms, ...methods], bits: [...table.bits, ...bits] }],
    arms: [...page.arms, ...methods.filter(({ id }) => !known.has(id))],
  };
}
