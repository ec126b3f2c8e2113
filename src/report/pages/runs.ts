/** Tables over runs: those of a page, those that did not finish, their environments, and the list of all. */
import type { RunRecord } from "../../record/record.ts";
import { canonicalJson } from "../../record/spec.ts";
import { bitsTitle, counted, datasetTitle, modelTitle, points } from "../labels.ts";
import { cellOf } from "../read/result.ts";
import { type Block, heading, paragraph, type TableCell } from "./blocks.ts";
import { runHref } from "./run.ts";

/** A line a run, whatever its status. */
export function runBlocks(runs: readonly RunRecord[], armTitleOf: (arm: string) => string): Block[] {
  if (runs.length === 0) return [];
  return [
    heading(3, "Runs"),
    {
      kind: "table",
      // records cannot be mended: until 26 November 2026 a run that went on told the time of its last process alone
      caption: "All runs of these tables, each once; minutes of runs before 27 November 2026 are of their last process",
      aside: true,
      columns: [
        { title: "Run", align: "left", names: true },
        { title: "Method", align: "left" },
        { title: "Model", align: "left" },
        { title: "Bits", align: "left" },
        { title: "Seed", align: "right" },
        { title: "Top-1", align: "right" },
        { title: "Epochs", align: "right" },
        { title: "Minutes", align: "right" },
        { title: "Images/s", align: "right" },
        { title: "Engine", align: "left" },
      ],
      rows: runs.map((run) => [
        { text: run.id, href: runHref(run.id) },
        armTitleOf(run.spec.arm),
        modelTitle(run.spec.model),
        bitsTitle(cellOf(run.spec)),
        String(run.spec.seed),
        run.status === "done" ? points(run.metrics!["top1Percent"]!) : run.status,
        run.curve.length === run.spec.recipe.epochs
          ? String(run.spec.recipe.epochs)
          : `${run.curve.length} of ${run.spec.recipe.epochs}`,
        (run.wallSeconds / 60).toFixed(1),
        run.imagesPerSecond.toFixed(0),
        run.spec.engine,
      ]),
    },
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
  return [
    heading(3, "Environment"),
    {
      kind: "table",
      caption: "What computed these runs",
      aside: true,
      columns: [
        { title: "Commit", align: "left", names: true },
        { title: "Engine", align: "left" },
        { title: "Device", align: "left" },
        { title: "CPU", align: "left" },
        { title: "Threads", align: "right" },
        { title: "System", align: "left" },
        { title: "Versions", align: "left" },
        { title: "Runs", align: "right" },
      ],
      rows: [...Map.groupBy(runs, ({ environment }) => canonicalJson(environment)).values()].map((alike) => {
        const { environment } = alike[0]!;
        return [
          commitText(environment),
          environment.engine,
          environment.device,
          environment.cpu,
          String(environment.threads),
          environment.os,
          Object.entries(environment.versions).map(([name, version]) => `${name} ${version}`).join(", "),
          String(alike.length),
        ];
      }),
    },
  ];
}

/** Twelve digits; a checkout that differed from its commit is marked. */
function commitText({ commit, dirty }: RunRecord["environment"]): string {
  if (commit === null) return "unknown, not a git checkout";
  return dirty ? `${commit.slice(0, 12)} with uncommitted changes` : commit.slice(0, 12);
}

/** The list of all runs. */
export function runIndexBlocks(runs: readonly RunRecord[], titleOf: (run: RunRecord) => string): Block[] {
  return [
    heading(1, "Runs"),
    paragraph(
      `${
        counted(runs.length, "run")
      } with a record, those on held-out images (which choose hyper-parameters) and those ` +
        "that did not finish among them. Each has a page with its spec, environment and curve.",
    ),
    {
      kind: "table",
      caption: "All runs",
      columns: [
        { title: "Run", align: "left", names: true },
        { title: "Protocol", align: "left" },
        { title: "Method", align: "left" },
        { title: "Data set", align: "left" },
        { title: "Model", align: "left" },
        { title: "Bits", align: "left" },
        { title: "Seed", align: "right" },
        { title: "Images", align: "left" },
        { title: "Top-1", align: "right" },
        { title: "Status", align: "left" },
        { title: "Engine", align: "left" },
      ],
      rows: runs.map((run): TableCell[] => [
        { text: run.id, href: runHref(run.id) },
        run.spec.protocol,
        titleOf(run),
        datasetTitle(run.spec.dataset.name),
        modelTitle(run.spec.model),
        bitsTitle(cellOf(run.spec)),
        String(run.spec.seed),
        run.spec.dataset.evaluateOn === "test" ? "test" : "held out",
        run.metrics === null ? "" : points(run.metrics["top1Percent"]!),
        run.status,
        run.spec.engine,
      ]),
    },
  ];
}
