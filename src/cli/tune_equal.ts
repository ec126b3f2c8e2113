/**
 * Equal tuning: every quantized arm of the core table gets the same number of trials on held-out training images, each of
 * the full length of protocol reduced, with a seed that no table reports.
 *
 * An arm begins with the protocol's learning rate and the arm's own weight, where it has one. Each further trial lies next
 * to the best so far: twice the rate, half of it, the next larger weight (1, 3, 10, 30), the next smaller one, whichever
 * comes first and was not tried; where all were, two steps away, and so on. So a choice at an end is followed beyond it. The
 * best held-out accuracy after the last epoch is chosen; of equal ones the first.
 */
import { CORE } from "../../benchmarks/core.ts";
import { KD } from "../../benchmarks/fpq/paper.ts";
import { PROTOCOL_DEFINITIONS } from "../../benchmarks/protocols.ts";
import { W2A2 } from "../catalog/bits.ts";
import type { Arm } from "../catalog/paper.ts";
import type { EngineName } from "../engine/types.ts";
import { gridSpecs } from "../plan/grid_specs.ts";
import { isFinal, type RunRecord } from "../record/record.ts";
import { runId, type RunSpec } from "../record/spec.ts";
import { columns } from "./columns.ts";
import type { Console } from "./console.ts";
import { fixedRuns } from "./fixed_runs.ts";
import { SEED, TEACHER, TRIALS as SHORT_TRIALS } from "./tune.ts";

/** Trials of each arm. */
export const TRIALS = 6;

const { reduced } = PROTOCOL_DEFINITIONS;

/** Protocol reduced, evaluated on held-out images. */
const PROTOCOL = { ...reduced, dataset: SHORT_TRIALS.dataset };

/** An arm that is tuned. */
interface Tuned {
  readonly arm: Arm;
  /** The option that is its own weight, and the value that it begins with; null: the learning rate alone. */
  readonly weight: { readonly option: string; readonly first: number } | null;
}

/** Every quantized arm of the core table. */
export const TUNED: readonly Tuned[] = CORE.arms.flatMap((arm): Tuned[] => {
  if (arm.quantizer === null) return [];
  const option = arm.tuned ?? (arm.id === KD.id ? "weight" : null);
  const own = { ...arm.method.options, ...(arm.tuned ? { [arm.tuned]: reduced.chosen![arm.tuned] } : {}) };
  return [{ arm, weight: option === null ? null : { option, first: Number(own[option]) } }];
});

/** A trial's distance from an arm's first one, in steps. */
interface Place {
  readonly rate: number;
  readonly weight: number;
}

/** A trial that has ended. */
interface Trial {
  readonly place: Place;
  /** Held-out accuracy; null: it did not end as done. */
  readonly top1Percent: number | null;
}

/** Where an arm's search stands. */
export interface Search {
  readonly tuned: Tuned;
  readonly trials: readonly Trial[];
  /** Null: all trials have ended. */
  readonly next: RunSpec | null;
  /** Null until then, and where none ended as done. */
  readonly best: Trial | null;
  /** True if a value next to the best was not tried. */
  readonly isAtEnd: boolean;
}

/** Values 0.01, 0.03, 0.1, 0.3, 1, 3, 10: `steps` further than `first`, which is one of them. */
function ladder(first: number, steps: number): number {
  const index = Math.round(2 * Math.log10(first)) + steps, decade = Math.floor(index / 2);
  return Number(`${index === 2 * decade ? 1 : 3}e${decade}`);
}

function learningRate({ rate }: Place): number {
  return reduced.quantized.learningRate * 2 ** rate;
}

/** The spec of a trial, and of the teacher before it. */
function specsOf({ arm, weight }: Tuned, place: Place, engine: EngineName): RunSpec[] {
  const rate = learningRate(place), { tuned: _, ...rest } = arm; // not what the protocol has: the value of the trial
  const own = weight === null ? {} : { [weight.option]: ladder(weight.first, place.weight) };
  const trial: Arm = {
    ...rest,
    id: [arm.id, "rate", rate, ...Object.entries(own).flat()].join("_"),
    start: TEACHER,
    method: { ...arm.method, options: { ...arm.method.options, ...own } },
    recipe: { ...arm.recipe, learningRate: rate },
  };
  const grid = { dataset: CORE.dataset, models: [CORE.model], bits: [W2A2], seeds: [SEED], arms: [trial] };
  return gridSpecs({ ...grid, protocol: PROTOCOL, engine }).map(({ spec }) => spec);
}

/** Follows the search of an arm as far as there are records. */
function searchOf(tuned: Tuned, byId: ReadonlyMap<string, RunRecord>, engine: EngineName): Search {
  const trials: Trial[] = [];
  let next: RunSpec | null = null, place: Place = { rate: 0, weight: 0 };
  while (next === null && trials.length < TRIALS) {
    const spec = specsOf(tuned, place, engine).at(-1)!, record = byId.get(runId(spec));
    if (record === undefined || !isFinal(record)) {
      next = spec;
    } else {
      trials.push({ place, top1Percent: record.status === "done" ? record.metrics!["top1Percent"]! : null });
      place = placesAround(bestOf(trials)?.place ?? trials[0]!.place, tuned, trials).next().value!;
    }
  }
  const best = next === null ? bestOf(trials) : null;
  const nearest = best && placesAround(best.place, tuned, trials).next().value!;
  return { tuned, trials, next, best, isAtEnd: best !== null && distance(best.place, nearest!) === 1 };
}

/** Places that were not tried, nearest first. */
function* placesAround({ rate, weight }: Place, { weight: own }: Tuned, trials: readonly Trial[]): Generator<Place> {
  for (let step = 1;; step++) {
    const around = [
      { rate: rate + step, weight },
      { rate: rate - step, weight },
      ...(own === null ? [] : [{ rate, weight: weight + step }, { rate, weight: weight - step }]),
    ];
    yield* around.filter((place) => trials.every((trial) => distance(trial.place, place) > 0));
  }
}

function distance(a: Place, b: Place): number {
  return Math.abs(a.rate - b.rate) + Math.abs(a.weight - b.weight);
}

/** The first of the best; null: none ended as done. */
function bestOf(trials: readonly Trial[]): Trial | null {
  const done = trials.filter(({ top1Percent }) => top1Percent !== null);
  return done.reduce<Trial | null>(
    (best, trial) => best && best.top1Percent! >= trial.top1Percent! ? best : trial,
    null,
  );
}

/** Where every arm's search stands by the records; records of other runs are passed over. */
export function searches(records: readonly RunRecord[], engine: EngineName): Search[] {
  const byId = new Map(records.map((record) => [record.id, record]));
  return TUNED.map((tuned) => searchOf(tuned, byId, engine));
}

/** The teacher, every trial that has ended, and the next one of each arm. */
export function equalSpecs(records: readonly RunRecord[], engine: EngineName): RunSpec[] {
  return searches(records, engine).flatMap(({ tuned, trials, next }) => [
    ...trials.flatMap(({ place }) => specsOf(tuned, place, engine)),
    ...(next === null ? [] : [specsOf(tuned, { rate: 0, weight: 0 }, engine)[0]!, next]),
  ]);
}

/** Trials in columns, arm by arm; the chosen one is marked. */
export function searchTable(all: readonly Search[]): string {
  const rows = all.flatMap(({ tuned: { arm, weight }, trials, next, best, isAtEnd }) => [
    ...trials.map((trial) => [
      arm.id,
      String(learningRate(trial.place)),
      weight ? `${weight.option} ${ladder(weight.first, trial.place.weight)}` : "",
      trial.top1Percent === null ? "not done" : trial.top1Percent.toFixed(2),
      trial === best ? (isAtEnd ? "chosen, at an end" : "chosen") : "",
    ]),
    ...(next === null ? [] : [[arm.id, "", "", `${TRIALS - trials.length} to run`, ""]]),
  ]);
  return columns([["arm", "rate", "weight", "held-out top-1", ""], ...rows], new Set([3])).join("\n");
}

/** `deno task dev:tune-equal`. @returns The exit code: 0 every arm is tuned, 1 not all, 2 bad input. */
export async function tuneEqual(args: readonly string[], console: Console): Promise<number> {
  return await fixedRuns(args, {
    console,
    runs: {
      task: "dev:tune-equal",
      about: `Tunes every quantized arm of the core table by ${TRIALS} trials on held-out images; writes no page`,
      good: "every arm is tuned",
      specs: (engine, records) => equalSpecs(records, engine),
      later: (engine, records) =>
        searches(records, engine).flatMap(({ trials, next }) =>
          next === null ? [] : Array.from({ length: TRIALS - trials.length - 1 }, () => next)
        ),
      result(records, engine) {
        const all = searches(records, engine);
        return { text: searchTable(all), good: all.every(({ next, best }) => next === null && best !== null) };
      },
    },
  });
}
