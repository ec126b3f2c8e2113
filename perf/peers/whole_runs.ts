/** Whole runs of `bench`, to stand beside the steps. */
import { datasetSizes } from "../../src/cli/services.ts";
import { InputError } from "../../src/errors.ts";
import { imagesPerEpoch } from "../../src/plan/estimate.ts";
import { describeRun } from "../../src/record/spec.ts";
import { counted } from "../../src/report/labels.ts";
import { type Block, type Column, heading, paragraph } from "../../src/report/pages/blocks.ts";
import { readableRecords } from "../../src/store/store.ts";
import type { WholeRun } from "./measurement.ts";

/** Reads the finished runs of a folder, the first one to start first. @throws {InputError} If there are none. */
export function wholeRuns(folder: string): WholeRun[] {
  const runs = readableRecords(folder).filter(({ status }) => status === "done").flatMap((record): WholeRun[] => {
    const { id, spec, imagesPerSecond, wallSeconds, startedAt, metrics } = record;
    const inEpoch = imagesPerEpoch(spec, datasetSizes);
    if (inEpoch === null) return [];
    const images = inEpoch * spec.recipe.epochs, batch = spec.recipe.batchSize, title = describeRun(spec);
    return [{
      id,
      title,
      batch,
      images,
      imagesPerSecond,
      wallSeconds,
      startedAt,
      top1Percent: metrics!["top1Percent"]!,
    }];
  });
  if (runs.length > 0) return runs.sort((a, b) => a.startedAt < b.startedAt ? -1 : 1);
  throw new InputError(
    `Cannot use --runs ${folder} as no run is done there: run \`deno task bench --out ${folder}\` first`,
  );
}

const RUN_COLUMNS: readonly Column[] = [
  { title: "Run", align: "left" },
  { title: "Images/s, training", align: "right" },
  { title: "Images/s, whole run", align: "right" },
  { title: "Top-1, %", align: "right" },
];

/** Images per second of all runs together, from the first start to the last end. */
function together(runs: readonly WholeRun[]): number {
  const starts = runs.map(({ startedAt }) => Date.parse(startedAt) / 1000);
  const end = Math.max(...runs.map(({ wallSeconds }, i) => starts[i]! + wallSeconds));
  return runs.reduce((sum, { images }) => sum + images, 0) / (end - Math.min(...starts));
}

/** The table of whole runs. */
export function wholeRunBlocks(runs: readonly WholeRun[]): Block[] {
  if (runs.length === 0) return [];
  const rate = (images: number, seconds: number) => (images / seconds).toFixed(0);
  return [
    heading(2, "Whole runs of bench"),
    {
      kind: "table",
      caption: "Images a second of whole runs",
      columns: RUN_COLUMNS,
      rows: runs.map(({ title, batch, imagesPerSecond, images, wallSeconds, top1Percent }) => [
        `${title}, batch ${batch}`,
        imagesPerSecond.toFixed(0),
        rate(images, wallSeconds),
        top1Percent.toFixed(2),
      ]),
    },
    paragraph(
      `Training images of ${counted(runs.length, "run")}, from the first start to the last end: ` +
        `${
          together(runs).toFixed(0)
        } a second together. Beside training a run starts, evaluates and writes checkpoints.`,
    ),
  ];
}
