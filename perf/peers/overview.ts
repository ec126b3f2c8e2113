/** The page over all committed measurements: how fast each of our engines is beside the other sides, on each machine. */
import { join } from "node:path";
import { type Block, heading, paragraph, type TableBlock } from "../../src/report/pages/blocks.ts";
import { modelTitle } from "../../src/catalog/titles.ts";
import { toMarkdown } from "../../src/report/render/markdown.ts";
import type { PeerCase, PeerMeasurement, Side, SideName } from "./measurement.ts";
import { methodCosts } from "./page.ts";
import { agreement, median, peak, ratios } from "./result.ts";
import { ARMS, METHOD_ARMS } from "./steps.ts";

/** A committed measurement and the name of its files, without their ending. */
export interface NamedMeasurement {
  readonly name: string;
  readonly measurement: PeerMeasurement;
}

/** Every measurement of a folder, the oldest first. */
export function readMeasurements(folder: string): NamedMeasurement[] {
  const names = [...Deno.readDirSync(folder)].map(({ name }) => /^(peers\w*)\.json$/.exec(name)?.[1] ?? []).flat();
  const all = names.sort().map((name) => ({
    name,
    measurement: JSON.parse(Deno.readTextFileSync(join(folder, `${name}.json`))) as PeerMeasurement,
  }));
  const dateOf = ({ measurement: { environment } }: NamedMeasurement) => environment.date;
  return all.sort((a, b) => dateOf(a).localeCompare(dateOf(b)));
}

/** Our own sides, by the engine that they run. */
const OURS = ["requant", "onednn", "bf16"] as const satisfies readonly SideName[];
const ENGINES: Readonly<Record<typeof OURS[number], string>> = {
  requant: "tensorflow",
  onednn: "onednn",
  bf16: "onednn, bf16 gradients",
};

/** Columns: the sides that ours are compared with. */
const THEIRS = ["requant", "eager", "compile", "autocast", "brevitas"] as const satisfies readonly SideName[];
const HEADS: Readonly<Record<typeof THEIRS[number], string>> = {
  requant: "engine tensorflow",
  eager: "PyTorch eager",
  compile: "torch.compile",
  autocast: "its bfloat16 autocast",
  brevitas: "Brevitas",
};

const NONE = "";

function isMeasured(side: Side | undefined): side is Side {
  return side !== undefined && side.rounds.length > 0;
}

/** Time of the other side's step over that of `ours`, median over the rounds; in parentheses where losses differ. */
function speed(
  { sides, arm }: PeerCase,
  { ours, other, gpu }: { ours: Side; other: Side | undefined; gpu: boolean },
): string {
  if (!isMeasured(other) || other === ours) return NONE;
  const ratio = median(ratios(ours, other, gpu ? "seconds" : "cpuSeconds")).toFixed(2);
  const reference = sides.find(({ name }) => name === OURS[0])!, isQuantized = ARMS[arm].quantizer !== null;
  const agrees = [ours, other].every((side) =>
    side === reference || agreement(side, { ours: reference, sides, isQuantized }).counts
  );
  return agrees ? ratio : `(${ratio})`;
}

function memory(ours: Side, other: Side | undefined): string {
  const [mine, theirs] = [peak(ours), isMeasured(other) ? peak(other) : null];
  return mine === null || theirs === null ? NONE : (mine / theirs).toFixed(2);
}

function machineOf({ environment: { cpu, gpu, cores, versions } }: PeerMeasurement): string {
  const processor = gpu ?? cpu.replace(/, \d+ cores$/, ""), isa = versions["isa"];
  return `${processor}${isa ? `, ${isa}` : ""}${cores > 1 ? `, ${cores} processes` : ""}`;
}

/** A table of one step: a row for each machine and engine of ours. */
function stepTable(model: string, arm: PeerCase["arm"], all: readonly NamedMeasurement[]): TableBlock {
  const rows = all.flatMap(({ name, measurement }) => {
    const found = measurement.cases.find((item) => item.model === model && item.arm === arm);
    if (!found) return [];
    const sideOf = (wanted: SideName) => found.sides.find(({ name }) => name === wanted);
    const gpu = measurement.environment.gpu !== undefined;
    return OURS.flatMap((side) => {
      const ours = sideOf(side);
      if (!isMeasured(ours)) return [];
      const speeds = THEIRS.map((other) => speed(found, { ours, other: sideOf(other), gpu }));
      return [[machineOf(measurement), `${name}.md`, ENGINES[side], ...speeds, memory(ours, sideOf("compile"))]];
    });
  });
  return {
    kind: "table",
    caption: `${modelTitle(model)}, ${ARMS[arm].title}: times as fast as`,
    columns: [
      { title: "Machine", align: "left", names: true },
      { title: "Measurement", align: "left" },
      { title: "Our engine", align: "left" },
      ...THEIRS.map((side) => ({ title: HEADS[side], align: "right" as const })),
      { title: "Memory over torch.compile's", align: "right" },
    ],
    rows,
    ordered: true,
  };
}

function costTable(all: readonly NamedMeasurement[]): TableBlock {
  const rows = all.flatMap(({ name, measurement }) => {
    const costs = methodCosts(measurement).filter(({ overParts }) => overParts !== null);
    return OURS.flatMap((side) => {
      const own = costs.filter((row) => row.side === side);
      if (own.length === 0) return [];
      const cells = METHOD_ARMS.map((arm) => own.find((row) => row.arm === arm)?.overParts?.toFixed(2) ?? NONE);
      return [[machineOf(measurement), `${name}.md`, ENGINES[side], ...cells]];
    });
  });
  return {
    kind: "table",
    caption: "A method's step over an LSQ step and the method's extra passes",
    columns: [
      { title: "Machine", align: "left", names: true },
      { title: "Measurement", align: "left" },
      { title: "Our engine", align: "left" },
      ...METHOD_ARMS.map((arm) => ({ title: ARMS[arm].title, align: "right" as const })),
    ],
    rows,
    ordered: true,
  };
}

/** The page. */
export function overviewPage(all: readonly NamedMeasurement[]): string {
  const cases = all.flatMap(({ measurement }) => measurement.cases);
  const steps = new Map(cases.map((item) => [`${item.model} ${item.arm}`, item]));
  const blocks: Block[] = [
    heading(1, "Speed beside PyTorch"),
    paragraph(
      "Generated by deno task dev:peer --overview from the measurements named in it. Each number is the time " +
        "that the other side takes for a training step, divided by ours: above 1 we are faster. Times are of the processor (on a GPU: " +
        "by the clock), and the ratio is the median over the rounds. The sides take turns on one core, or with two processes on two. " +
        "A number in parentheses does not count, as the losses of the first steps differ (docs/engine.md).",
    ),
    ...[...steps.values()].map(({ model, arm }) => stepTable(model, arm, all)),
    costTable(all),
  ];
  return toMarkdown(blocks);
}
