/** Tables over runs: those of a page, those that did not finish, their environments, and the list of all. */
import type { Paper } from "../../catalog/paper.ts";
import type { RunRecord } from "../../record/record.ts";
import { baseOf, canonicalJson } from "../../record/spec.ts";
import { bitsTitle } from "../../catalog/bits.ts";
import { datasetTitle, modelTitle, shortTitle } from "../../catalog/titles.ts";
import { counted, points } from "../labels.ts";
import { cellOf } from "../read/result.ts";
import { type Block, type Field, heading, naming, numbers, paragraph, tableOf, words } from "./blocks.ts";
import { runHref } from "./run.ts";
import { SECTION_ORDER } from "../judge/tables.ts";
import { protocolTitle } from "../../catalog/protocol.ts";

const RUN_FIELD: Field<RunRecord> = naming("Run", ({ id }) => ({ text: id, href: runHref(id) }));
const SPEC_FIELDS: readonly Field<RunRecord>[] = [
  words("Model", ({ spec }) => modelTitle(spec.model)),
  words("Bits", ({ spec }) => bitsTitle(cellOf(spec))),
  numbers("Seed", ({ spec }) => String(spec.seed)),
];

const MACHINE_FIELDS: readonly Field<RunRecord>[] = [
  words("Engine", ({ spec: { engine, precision } }) => precision ? `${engine}, ${precision.toUpperCase()}` : engine),
  words("Device", ({ environment }) => environment.device),
];

function epochsText({ curve, spec }: RunRecord): string {
  const { epochs } = spec.recipe;
  return curve.length === epochs ? String(epochs) : `${curve.length} of ${epochs}`;
}

/** A line a run, whatever its status. */
export function runBlocks(runs: readonly RunRecord[], armTitleOf: (arm: string) => string): Block[] {
  if (runs.length === 0) return [];
  return [
    heading(3, "Runs"),
    // records cannot be mended: until 26 November 2026 a run that went on recorded the time of its last process alone
    tableOf(
      "All runs of these tables, each once; minutes of runs before 27 November 2026 are of their last process",
      runs,
      {
        aside: true,
        fields: [
          RUN_FIELD,
          words("Method", ({ spec }) => armTitleOf(spec.arm)),
          ...SPEC_FIELDS,
          numbers("Top-1", (run) => run.status === "done" ? points(run.metrics!["top1Percent"]!) : run.status),
          numbers("Epochs", epochsText),
          numbers("Minutes", ({ wallSeconds }) => (wallSeconds / 60).toFixed(1)),
          numbers("Images/s", ({ imagesPerSecond }) => imagesPerSecond.toFixed(0)),
          ...MACHINE_FIELDS,
        ],
      },
    ),
  ];
}

/** Each run that is in no mean, with its reason. */
export function failureBlocks(runs: readonly RunRecord[], armTitleOf: (arm: string) => string): Block[] {
  const items = runs.filter(({ status }) => status !== "done").map(({ id, spec, status, reason }) =>
    `${id} (${armTitleOf(spec.arm)}, ${modelTitle(spec.model)}, ${
      bitsTitle(cellOf(spec))
    }, seed ${spec.seed}): ${status}, ` +
    (reason ?? "no reason given")
  );
  if (items.length === 0) return [];
  return [heading(3, "Runs that did not finish, counted and not averaged"), { kind: "list", items }];
}

/** Each environment with the number of its runs. */
export function environmentBlocks(runs: readonly RunRecord[]): Block[] {
  if (runs.length === 0) return [];
  const alike = Map.groupBy(runs, ({ environment }) => canonicalJson(environment)) as Map<
    string,
    [RunRecord, ...RunRecord[]]
  >;
  return [
    heading(3, "Environment"),
    tableOf("What computed these runs", [...alike.values()], {
      aside: true,
      fields: [
        naming("Commit", ([{ environment }]) => commitText(environment)),
        words("Engine", ([{ environment }]) => environment.engine),
        words("Device", ([{ environment }]) => environment.device),
        words("CPU", ([{ environment }]) => environment.cpu),
        numbers("Threads", ([{ environment }]) => String(environment.threads)),
        words("System", ([{ environment }]) => environment.os),
        words(
          "Versions",
          ([{ environment }]) =>
            Object.entries(environment.versions).map(([name, version]) => `${name} ${version}`).join(", "),
        ),
        numbers("Runs", ({ length }) => String(length)),
      ],
    }),
  ];
}

/** Twelve digits; a checkout that differed from its commit is marked. */
function commitText({ commit, dirty }: RunRecord["environment"]): string {
  if (commit === null) return "unknown, not a git checkout";
  return dirty ? `${commit.slice(0, 12)} with uncommitted changes` : commit.slice(0, 12);
}

/**
 * The list of all runs, by paper, protocol and method, then model, bits and seed; runs of no paper last.
 *
 * @param papersOf The papers whose tables a run fills.
 */
export function runIndexBlocks(
  all: readonly RunRecord[],
  { titleOf, papersOf }: {
    readonly titleOf: (run: RunRecord) => string;
    readonly papersOf: (run: RunRecord) => readonly Pick<Paper, "id" | "title">[];
  },
): Block[] {
  const keys = new Map(all.map((run) => {
    const { protocol, model, seed } = run.spec, paper = papersOf(run)[0]?.id ?? "\uffff";
    const place = SECTION_ORDER.findIndex((base) => base === baseOf(protocol));
    const key = [paper, place, titleOf(run), model, bitsTitle(cellOf(run.spec))];
    return [run, [...key, String(seed).padStart(9, "0"), run.id].join("\n")];
  }));
  const runs = all.toSorted((a, b) => keys.get(a)! < keys.get(b)! ? -1 : 1);
  return [
    heading(1, "Runs"),
    paragraph(
      `${
        counted(runs.length, "run")
      } with a record, those on held-out images (which choose hyper-parameters) and those ` +
        "that did not finish among them. Each has a page with its spec, environment and curve.",
    ),
    tableOf("All runs", runs, {
      fields: [
        RUN_FIELD,
        words("Paper", (run) => papersOf(run).map(shortTitle).join(", ")),
        words("Protocol", ({ spec }) => protocolTitle(spec.protocol)),
        words("Method", titleOf),
        words("Data set", ({ spec }) => datasetTitle(spec.dataset.name)),
        ...SPEC_FIELDS,
        words("Images", ({ spec }) => spec.dataset.evaluateOn === "test" ? "test" : "held out"),
        numbers("Top-1", ({ metrics }) => metrics === null ? "" : points(metrics["top1Percent"]!)),
        words("Status", ({ status }) => status),
        ...MACHINE_FIELDS,
      ],
    }),
  ];
}
