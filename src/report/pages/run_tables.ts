/** Tables over single runs: all of them, those that did not finish, and what computed them. */
import type { RunRecord } from "../../record/record.ts";
import { canonicalJson } from "../../record/spec.ts";
import { cellKey } from "../judge/aggregate.ts";
import { type Block, heading } from "./blocks.ts";
import { bitsTitle, modelTitle, points } from "../labels.ts";
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
        bitsTitle(cellKey(run.spec)),
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
      bitsTitle(cellKey(spec))
    }, seed ${spec.seed}): ${status}, ` +
    (reason ?? "no reason given")
  );
  if (items.length === 0) return [];
  return [heading(3, "Runs that did not finish, counted and not averaged"), { kind: "list", items }];
}

/** Each environment with the number of its runs. */
export function environmentBlocks(runs: readonly RunRecord[]): Block[] {
  if (runs.length === 0) return [];
  const counts = new Map<string, { environment: RunRecord["environment"]; count: number }>();
  for (const { environment } of runs) {
    const key = canonicalJson(environment);
    counts.set(key, { environment, count: (counts.get(key)?.count ?? 0) + 1 });
  }
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
      rows: [...counts.values()].map(({ environment, count }) => [
        commitText(environment),
        environment.engine,
        environment.device,
        environment.cpu,
        String(environment.threads),
        environment.os,
        Object.entries(environment.versions).map(([name, version]) => `${name} ${version}`).join(", "),
        String(count),
      ]),
    },
  ];
}

/** Twelve digits; a checkout that differed from its commit is marked. */
function commitText({ commit, dirty }: RunRecord["environment"]): string {
  if (commit === null) return "unknown, not a git checkout";
  return dirty ? `${commit.slice(0, 12)} with uncommitted changes` : commit.slice(0, 12);
}
