/** The page of one run: what was asked, what came out, what computed it. */
import type { Environment } from "../../record/environment.ts";
import { earlierEnvironmentsOf, type Epoch, type RunRecord } from "../../record/record.ts";
import type { RunSpec } from "../../record/spec.ts";
import { cellOf } from "../read/result.ts";
import {
  banner,
  type Block,
  type Field,
  type FigureBlock,
  heading,
  naming,
  numbers,
  paragraph,
  type TableCell,
  tableOf,
  words,
} from "./blocks.ts";
import { spread } from "./panel_figures.ts";
import { bitsTitle } from "../../catalog/bits.ts";
import { datasetTitle, modelTitle } from "../../catalog/titles.ts";
import { points } from "../labels.ts";
import { protocolTitle } from "../../catalog/protocol.ts";

/** Epochs in the table under the curve. */
const MAXIMUM_EPOCHS = 20;

/** Where the page of a run lies, relative to the root of the site. */
export function runHref(id: string): string {
  return `runs/${id}.html`;
}

/** Everything that a run's page needs from the other pages. */
export interface RunPageContext {
  readonly armTitle: string;
  /** True if the site has a page of the run that this one started from. */
  readonly teacherHasPage: boolean;
  /** Titles and pages of the papers whose tables the run fills. */
  readonly papers: readonly { readonly text: string; readonly href: string }[];
}

/** `LSQ, ResNet-20, W2A2, seed 0`. */
export function runTitle({ spec }: RunRecord, armTitle: string): string {
  return `${armTitle}, ${modelTitle(spec.model)}, ${bitsTitle(cellOf(spec))}, seed ${spec.seed}`;
}

/** The page of one run. */
export function runPageBlocks(run: RunRecord, { armTitle, teacherHasPage, papers }: RunPageContext): Block[] {
  return [
    heading(1, runTitle(run, armTitle)),
    ...(run.environment.dirty
      ? [banner("The checkout had uncommitted changes: this commit alone may give other numbers.")]
      : []),
    paragraph(outcome(run)),
    ...(papers.length === 0 ? [] : [{ kind: "links", items: papers } satisfies Block]),
    heading(2, "Result"),
    facts("Result", resultFacts(run)),
    ...curveFigure(run),
    ...logTail(run),
    heading(2, "Spec"),
    facts("Spec: what determines the numbers", specFacts(run.spec, teacherHasPage)),
    heading(2, "Environment"),
    facts("What computed this run", environmentFacts(run)),
    ...(run.curve.length === 0 ? [] : [
      paragraph("To train the first epoch again and compare it to the last digit (--epochs for more):"),
      { kind: "commands", lines: [`deno task repeat ${run.id}`] } satisfies Block,
    ]),
  ];
}

function outcome({ id, spec, status, reason, metrics }: RunRecord): string {
  const images = spec.dataset.evaluateOn === "test" ? "test images" : "held-out training images";
  const result = status === "done"
    ? `top-1 ${points(metrics!["top1Percent"]!)} % on the ${images} after the last epoch`
    : `${status}: ${reason ?? "no reason given"}`;
  return `Run ${id} of protocol ${protocolTitle(spec.protocol)} on ${datasetTitle(spec.dataset.name)}: ${result}.`;
}

/** Shows the last lines that the process of a run wrote, if the run did not end well. */
function logTail({ log }: RunRecord): Block[] {
  return log === undefined || log.length === 0
    ? []
    : [heading(2, "Last lines of the log"), { kind: "commands", lines: log }];
}

type Fact = readonly [name: string, value: TableCell];

const FACT_FIELDS = [naming<Fact>("Name", ([name]) => name), words<Fact>("Value", ([, value]) => value)];

function facts(caption: string, rows: readonly Fact[]): Block {
  return tableOf(caption, rows, { fields: FACT_FIELDS, ordered: true });
}

function resultFacts(run: RunRecord): Fact[] {
  return [
    ["Status", run.reason === null ? run.status : `${run.status}: ${run.reason}`],
    ...Object.entries(run.metrics ?? {}).map(([name, value]): Fact => [name, numberText(value)]),
    ["Epochs", `${run.curve.length} of ${run.spec.recipe.epochs}`],
    ["Started", run.startedAt],
    ["Wall time (before 27 November 2026: of the last process)", `${(run.wallSeconds / 60).toFixed(1)} minutes`],
    ["CPU time", `${(run.cpuSeconds / 60).toFixed(1)} minutes`],
    ["Training speed", `${run.imagesPerSecond.toFixed(0)} images/s`],
    ["Peak memory", `${run.peakMemoryMiB.toFixed(0)} MiB`],
  ];
}

/** The spec by path, in its own order; the run it started from as a link. */
function specFacts(spec: RunSpec, teacherHasPage: boolean): Fact[] {
  return Object.entries(spec).flatMap(([name, value]): Fact[] => {
    if (name === "teacher" && typeof value === "string" && teacherHasPage) {
      return [[name, { text: value, href: runHref(value) }]];
    }
    return leaves(name, value);
  });
}

function leaves(path: string, value: unknown): Fact[] {
  if (typeof value === "object" && value !== null && Object.keys(value).length > 0) {
    return Object.entries(value).flatMap(([name, item]) => leaves(`${path}.${name}`, item));
  }
  return [[path, typeof value === "object" && value !== null ? "none" : String(value)]];
}

/** The last process's environment, and what differed in those before it was stopped and resumed. */
function environmentFacts(run: RunRecord): Fact[] {
  const factsOf = (one: Environment) => Object.entries(one).flatMap(([name, value]) => leaves(name, value));
  const last = factsOf(run.environment), known = new Map(last);
  const earlier = earlierEnvironmentsOf(run).flatMap((one, index) =>
    factsOf(one).filter(([name, value]) => known.get(name) !== value)
      .map(([name, value]): Fact => [`earlier process ${index + 1}: ${name}`, value])
  );
  return [...last, ...earlier, ["SHA-256 of the decoded data", run.dataSha256 ?? "none"]];
}

function numberText(value: number): string {
  return String(Number(value.toPrecision(6)));
}

function curveFigure({ curve, spec }: RunRecord): Block[] {
  if (curve.length === 0) return [];
  const images = spec.dataset.evaluateOn === "test" ? "test" : "held-out";
  const last = curve.at(-1)!;
  const description = `After epoch ${curve.length}: ${points(last.testTop1Percent)} on ${images} images, ` +
    `${points(last.trainTop1Percent)} on training images.`;
  return [
    heading(2, "Curve"),
    {
      kind: "figure",
      id: "run-curve",
      caption: "Top-1 by epoch, percent",
      note: `Full line: ${images} images; dashed grey line: training images.`,
      description,
      drawing: {
        kind: "curve",
        test: curve.map(({ testTop1Percent }) => testTop1Percent),
        train: curve.map(({ trainTop1Percent }) => trainTop1Percent),
      },
      data: curveTable(curve),
    },
  ];
}

const EPOCH_FIELDS: readonly Field<Epoch>[] = [
  { ...numbers("Epoch", ({ epoch }) => String(epoch)), names: true },
  numbers("Learning rate", ({ learningRate }) => numberText(learningRate)),
  numbers("Training loss", ({ trainLoss }) => numberText(trainLoss)),
  numbers("Training top-1", ({ trainTop1Percent }) => points(trainTop1Percent)),
  numbers("Test loss", ({ testLoss }) => numberText(testLoss)),
  numbers("Test top-1", ({ testTop1Percent }) => points(testTop1Percent)),
];

/** Makes the table of a curve: every k-th epoch of a long one, and always the last. */
function curveTable(curve: readonly Epoch[]): FigureBlock["data"] {
  return tableOf("", spread(curve.length, MAXIMUM_EPOCHS).map((number) => curve[number - 1]!), {
    fields: [
      ...EPOCH_FIELDS,
      ...Object.keys(curve.at(-1)!.metrics).map((name) =>
        numbers<Epoch>(name, ({ metrics }) => metrics[name] === undefined ? "" : numberText(metrics[name]))
      ),
    ],
  });
}
