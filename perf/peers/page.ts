/** The page of a measurement, from its JSON document. */
import { type Block, type Column, heading, paragraph } from "../../src/report/pages/blocks.ts";
import { counted } from "../../src/report/labels.ts";
import { toMarkdown } from "../../src/report/render/markdown.ts";
import type { PeerMeasurement, Side, SideName } from "./measurement.ts";
import {
  CORE_SHARE,
  FLIP_LIMIT,
  LOSS_TOLERANCE,
  median,
  type PeerRow,
  type Range,
  range,
  summarise,
} from "./result.ts";
import { type Arm, ARMS, BASE_ARM, METHOD_ARMS } from "./steps.ts";
import { wholeRunBlocks } from "./whole_runs.ts";

const SIDE_TITLES: Readonly<Record<SideName, string>> = {
  requant: "Requant",
  onednn: "Requant, engine onednn",
  bf16: "Requant, engine onednn, bfloat16 gradients",
  eager: "PyTorch eager, channels_last",
  compile: "torch.compile, channels_last",
  autocast: "torch.compile, bfloat16 autocast",
  brevitas: "Brevitas, channels_last",
};

/** A column of the first table; those of processor time say nothing of a GPU. */
interface PeerColumn extends Column {
  readonly cpuAlone?: true;
  /** Left out where no memory is known. */
  readonly ofMemory?: true;
  cell(row: PeerRow, rounds: number): string;
}

const COLUMNS: readonly PeerColumn[] = [
  {
    title: "Step",
    align: "left",
    cell: ({ model, arm, batch }) => `${model}, ${ARMS[arm].title}, batch ${batch}`,
  },
  { title: "Side", align: "left", cell: ({ side }) => SIDE_TITLES[side] },
  { title: "Images/s", align: "right", cell: (row) => row.imagesPerSecond?.toFixed(0) ?? "" },
  {
    title: "Lowest to highest",
    align: "right",
    cell: ({ imagesPerSecondRange: range }, rounds) => {
      if (!range) return "";
      return rounds === 1 ? "one round" : `${range[0].toFixed(0)} to ${range[1].toFixed(0)}`;
    },
  },
  { title: "Requant / side, clock", align: "right", cell: clockRatio },
  {
    title: "Requant / side, processor time",
    align: "right",
    cpuAlone: true,
    cell: (row, rounds) => withRange(row.cpuSpeedRatio, row.cpuSpeedRatioRange, rounds),
  },
  { title: "Share of the core", align: "right", cpuAlone: true, cell: (row) => percent(row.cpuShare) },
  { title: "Peak memory, MiB", align: "right", ofMemory: true, cell: (row) => row.peakMib?.toFixed(0) ?? "" },
  { title: "Requant / side, memory", align: "right", ofMemory: true, cell: (row) => times(row.memoryRatio) },
  { title: "Losses", align: "left", cell: losses },
];

const CPU_NOTES = [
  "Images a second are by the clock. A ratio by the clock in parentheses does not count: a process had less than " +
  `${percent(CORE_SHARE)} of its core in some round, so other work was in its way by chance. The ratio by processor ` +
  "time then counts",
];

const GPU_NOTE =
  "Images a second are by the clock, and a step ends when its loss and its number of right answers are read. The batch " +
  "is on the GPU before the first step. ";
const GPU_MEMORY =
  "Memory is what the GPU had in use at most, less what it had before the process, by nvidia-smi: with CUDA's context";

const GRAPHS_NOTE =
  "The side with bfloat16 autocast is compiled in mode max-autotune, which times kernels and has CUDA graphs";

/** Name of the GPU where a CPU took its place. */
export const IMITATED = "none: imitated on the CPU";

const COST_COLUMNS: readonly Column[] = [
  { title: "Step", align: "left" },
  { title: "Side", align: "left" },
  { title: "Step / LSQ step", align: "right" },
  { title: "Step / (LSQ step and extra passes)", align: "right" },
];

function times(ratio: number | null): string {
  return ratio === null ? "" : `${ratio.toFixed(2)}x`;
}

/** Formats a ratio with its range; one round has no spread to report. */
function withRange(ratio: number | null, range: Range | null, rounds: number): string {
  if (ratio === null || range === null) return "";
  return rounds === 1 ? times(ratio) : `${times(ratio)}, ${range[0].toFixed(2)} to ${range[1].toFixed(2)}`;
}

function clockRatio({ speedRatio, speedRatioRange, clockCounts }: PeerRow, rounds: number): string {
  const text = withRange(speedRatio, speedRatioRange, rounds);
  return clockCounts === false ? `(${text})` : text;
}

function percent(share: number | null): string {
  return share === null ? "" : `${Math.round(100 * share)} %`;
}

function losses(row: PeerRow): string {
  if (row.notRun !== null) return `not run: ${row.notRun}`;
  if (row.counts === null) return "";
  const difference = row.lossDifference!.toExponential(1);
  if (!row.counts) {
    const [ours, theirs] = row.worstLosses!;
    return `does not count, differ by ${difference}: loss ${ours.toFixed(6)} against ${theirs.toFixed(6)}`;
  }
  if (row.lossDifference! <= LOSS_TOLERANCE) return `agree, differ by ${difference}`;
  return `agree but for flips, differ by ${difference}; eager and torch.compile by ${
    row.ownDifference!.toExponential(1)
  }`;
}

function costCells(row: CostRow, rounds: number): string[] {
  return [
    `${row.model}, ${ARMS[row.arm].title}`,
    SIDE_TITLES[row.side],
    withRange(row.overLsq, row.overLsqRange, rounds),
    withRange(row.overParts, row.overPartsRange, rounds),
  ];
}

/** The second table, where methods' steps were measured. */
function costs(measurement: PeerMeasurement): Block[] {
  const rows = methodCosts(measurement).map((row) => costCells(row, measurement.rounds));
  if (rows.length === 0) return [];
  const kind = measurement.environment.gpu === undefined ? "Processor time" : "Time by the clock";
  return [
    heading(2, "What a method's step costs"),
    { kind: "table", caption: `${kind} of a method's step`, columns: COST_COLUMNS, rows },
    paragraph(
      "Over the LSQ step: of the same side, in the round of the same number. Over LSQ step and extra passes: Requant's " +
        `engines alone, all three in turn in one process, of ${measurement.rule.leastSteps} steps each; the extra pass is the full-precision teacher's (FPQ) or ` +
        `the averaged teacher's (CR-like), at inference and alone, and MEC has none. The target is at most ${COST_TARGET}x.`,
    ),
  ];
}

function circumstances({ environment, rounds, rule, cases }: PeerMeasurement): string[] {
  const { pinned, cores, othersBusy } = environment;
  const versions = Object.entries(environment.versions).map(([name, version]) => `${name} ${version}`).join(", ");
  const changed = environment.dirty ? " with changes" : "";
  const variables = Object.entries(environment.variables).map(([name, value]) => `${name}=${value}`).join(", ");
  const rates = [...new Set(cases.map(({ model, learningRate }) => `${learningRate} (${model})`))].join(", ");
  const place = environment.gpu !== undefined
    ? `all on one GPU: ${environment.gpu}`
    : pinned
    ? `tied to core ${pinned.join(" and ")} of the machine`
    : "not tied to a core";
  return [
    `${environment.date}, ${environment.os}, ${environment.cpu}; commit ${environment.commit ?? "unknown"}${changed}`,
    `Versions: ${versions}`,
    `${
      cores === 1 ? "One process" : `${cores} processes`
    } of a side at a time, one thread each, ${place}, the same for all`,
    `Environment of all sides: ${variables}; malloc is the system's as it comes, MALLOC_ variables are removed`,
    `${
      counted(rounds, "round")
    }, the sides in turn, each round a new process of each: ${rule.warmupSteps} steps to warm up` +
    `${
      environment.gpu === undefined ? " (torch.compile's cache was filled before)" : ""
    }, then the median of ${rule.leastSteps} to ${rule.mostSteps} steps`,
    `Learning rate, which is for the comparison of the losses alone: ${rates}`,
    ...(othersBusy === null
      ? []
      : [`The machine's other cores were busy ${percent(othersBusy)} of the time meanwhile, for all sides alike`]),
  ];
}

/** Name of a measurement's files, without their ending: one core, two cores and a GPU stand side by side. */
export function peerName({ environment }: Pick<PeerMeasurement, "environment">): string {
  if (environment.gpu === IMITATED) return "peers_gpu_imitated";
  if (environment.gpu !== undefined) {
    return environment.variables["NVIDIA_TF32_OVERRIDE"] === "1" ? "peers_gpu_tf32" : "peers_gpu";
  }
  return environment.cores === 1 ? "peers" : `peers_${environment.cores}_cores`;
}

/** The page. */
export function peerPage(measurement: PeerMeasurement): string {
  const { momentum, weightDecay } = measurement.recipe;
  const gpu = measurement.environment.gpu !== undefined;
  const rows = summarise(measurement), isImitated = measurement.environment.gpu === IMITATED;
  const memory = rows.some(({ peakMib }) => peakMib !== null);
  const columns = COLUMNS.filter(({ cpuAlone, ofMemory }) => !(gpu && (cpuAlone || (ofMemory && !memory))));
  const blocks: Block[] = [
    heading(1, "A training step against PyTorch"),
    paragraph(
      `Generated by deno task dev:peer from ${
        peerName(measurement)
      }.json. One step is forward, backward and SGD update ` +
        `(momentum ${momentum}, weight decay ${weightDecay} on weights), with batch norm's ` +
        "running statistics, from the same weights on the same batch. LSQ W4A4 has 8 bits in the first and the last layer." +
        (isImitated ? " A CPU took the place of the GPU, to try the command: no figure here is one of a GPU." : ""),
    ),
    {
      kind: "table",
      caption: gpu ? "Images a second" : "Images a second and memory",
      columns: columns.map(({ title, align }) => ({ title, align })),
      rows: rows.map((row) => columns.map(({ cell }) => cell(row, measurement.rounds))),
    },
    ...costs(measurement),
    ...wholeRunBlocks(measurement.runs ?? []),
    heading(2, "How to read it"),
    {
      kind: "list",
      items: [
        "Only ratios count: they are Requant over the side of the row, within a round; the median over the rounds, then the " +
        `lowest and the highest round. Above 1x Requant is faster${gpu && !memory ? "" : ", or takes more memory"}`,
        ...(gpu ? [GPU_NOTE + (memory ? GPU_MEMORY : "Memory of the GPU was not measured")] : CPU_NOTES),
        ...(gpu && rows.some(({ side }) => side === "autocast") ? [GRAPHS_NOTE] : []),
        `A figure counts only if the losses of the first 3 steps agree with Requant's: within ${LOSS_TOLERANCE}, or, as ` +
        "rounding flips alone move low-bit losses, within what PyTorch's eager and compiled form differ by in the same " +
        `steps, if these too stay below ${FLIP_LIMIT} and both are moved alike; differences are relative, the largest of ` +
        "all rounds",
        ...(gpu ? [] : [
          "Peak memory is the largest resident size of the process in its life, with what compiling takes inside it" +
          (measurement.environment.versions["torch"]?.includes("+cu")
            ? ". PyTorch is its build with CUDA, as PyPI has no other for this system: libraries that a CPU never uses are in its memory too"
            : ""),
        ]),
      ],
    },
    heading(2, "Circumstances"),
    { kind: "list", items: circumstances(measurement) },
  ];
  return toMarkdown(blocks);
}

/** The JSON document: the measurement and what follows from it. */
export function peerJson(measurement: PeerMeasurement): string {
  const follows = { summary: summarise(measurement), costs: methodCosts(measurement) };
  return `${JSON.stringify({ ...measurement, ...follows }, null, 2)}\n`;
}

/** The most that a method's step may take of what the LSQ step and the method's extra forward passes take together. */
export const COST_TARGET = 1.15;

/** A method's step on one side; ratios of processor time (on a GPU: of time by the clock), with the lowest and the highest round. */
export interface CostRow {
  readonly model: string;
  readonly arm: Arm;
  readonly side: SideName;
  /** Over the side's own LSQ step of the same round; null: that was not measured. */
  readonly overLsq: number | null;
  readonly overLsqRange: Range | null;
  /** Over the LSQ step and the method's extra forward passes, all measured in one process; null but for Requant. */
  readonly overParts: number | null;
  readonly overPartsRange: Range | null;
}

type Cases = Pick<PeerMeasurement, "cases" | "environment">;

/** Time of a step, all processes of a round together. */
function perRound(side: Side, kind: "seconds" | "cpuSeconds"): number[] {
  return side.rounds.map((samples) => samples.reduce((sum, sample) => sum + sample[kind], 0));
}

function summary(ratios: readonly number[]): [number | null, Range | null] {
  return ratios.length === 0 ? [null, null] : [median(ratios), range(ratios)];
}

function overLsq(side: Side, { cases, environment }: Cases, model: string): number[] {
  const kind = environment.gpu === undefined ? "cpuSeconds" : "seconds";
  const base = cases.find((other) => other.model === model && other.arm === BASE_ARM)?.sides
    .find(({ name }) => name === side.name);
  const seconds = base ? perRound(base, kind) : [];
  return perRound(side, kind).slice(0, seconds.length).map((step, round) => step / seconds[round]!);
}

/** A row for every side that ran a method's step. */
export function methodCosts(measurement: Cases): CostRow[] {
  return measurement.cases.filter(({ arm }) => METHOD_ARMS.includes(arm)).flatMap(({ model, arm, sides }) =>
    sides.filter(({ rounds }) => rounds.length > 0).map((side) => {
      const [lsq, lsqRange] = summary(overLsq(side, measurement, model));
      const parts = side.rounds.flat().flatMap(({ parts }) => parts ? [parts.step / (parts.lsq + parts.passes)] : []);
      const [all, allRange] = summary(parts);
      return {
        model,
        arm,
        side: side.name,
        overLsq: lsq,
        overLsqRange: lsqRange,
        overParts: all,
        overPartsRange: allRange,
      };
    })
  );
}
