/** `bench --dry-run`: probes the kinds of run of a plan, and shows what the plan costs. */
import type { EngineName } from "../engine/types.ts";
import { InputError } from "../errors.ts";
import { planCosts, type Processor } from "../plan/cost.ts";
import { estimator, type Measured } from "../plan/estimate.ts";
import { processorOf } from "../record/environment.ts";
import type { SizesOf } from "../plan/fit.ts";
import type { PlanState } from "../plan/plan.ts";
import { planResources } from "../plan/resources.ts";
import { describeRun } from "../record/spec.ts";
import { counted } from "../report/labels.ts";
import type { BenchServices } from "./bench_options.ts";
import { planDocument, planText, type PlanView } from "./plan_text.ts";
import { ownRatesFile, probedSpec, probeKind, unprobed } from "./rates.ts";

/** Times 10 steps of each kind of run that has no rate here, and keeps the rates. @throws {InputError} If stopped. */
export async function probePlan(
  { todo }: PlanState,
  { engine, sizesOf, services }: { engine: EngineName; sizesOf: SizesOf; services: BenchServices },
): Promise<void> {
  const processor = await services.processor(engine), specs = todo.map(({ spec }) => probedSpec(spec, sizesOf));
  const { trainingPasses: passes } = await import("../plan/network_size.ts"); // tensor code
  const wanted = unprobed(specs, { rates: services.rates(), sizesOf, processor, passes });
  services.stderr(
    `Probing ${counted(wanted.length, "kind")} of run on ${processor}; rates are kept in ${ownRatesFile()}\n`,
  );
  const out = await Deno.makeTempDir({ prefix: "requant-probe-" }), command = await services.command({ out, engine });
  const interrupts = services.listenForInterrupts();
  try {
    for (const [index, spec] of wanted.entries()) {
      await services.prepareDataset(spec.dataset.name, (line) => services.stderr(`${line}\n`));
      try {
        const rate = await probeKind(spec, { out, command, stop: interrupts.stop });
        services.keepRate(rate);
        const perSecond = spec.recipe.batchSize / rate.step.wallSeconds;
        services.stderr(`[${index + 1}/${wanted.length}] ${describeRun(spec)}: ${perSecond.toPrecision(3)} images/s\n`);
      } catch (error) {
        if (interrupts.stop.aborted) {
          throw new InputError("Cannot plan as the probe was stopped: the same command resumes");
        }
        if (!(error instanceof InputError)) throw error;
        services.stderr(`${error.message}\n`);
      }
    }
  } finally {
    interrupts.dispose();
    await Deno.remove(out, { recursive: true });
  }
}

/** Lists this machine's processor and each GPU with records or rates; a GPU's estimates come from its own alone. */
async function processorsOf(
  { engine, estimate }: Pick<PlanView, "engine" | "estimate">,
  { measured, sizesOf, services }: { measured: Measured; sizesOf: SizesOf; services: BenchServices },
): Promise<Processor[]> {
  const name = await services.processor(engine as EngineName);
  const all = [...measured.records, ...measured.rates].filter(({ environment }) => environment.device === "gpu");
  const gpus = new Set(all.map(({ environment }) => processorOf(environment)));
  const here = { name, isGpu: engine === "tensorflow" && (await services.gpus?.() ?? []).length > 0, estimate };
  if (gpus.size === 0) return [here];
  const work = await services.trainingWork();
  return [
    here,
    ...[...gpus].filter((gpu) => gpu !== name).map((gpu): Processor => {
      const learned = estimator(measured, { sizesOf, processor: gpu, work });
      return { name: gpu, isGpu: true, estimate: (spec) => learned({ ...spec, engine: "tensorflow" }) };
    }),
  ];
}

/** Prints a plan with its costs. */
export async function showPlan(
  plan: Omit<PlanView, "costs" | "processors" | "resources">,
  { json, ...learned }: { measured: Measured; sizesOf: SizesOf; services: BenchServices; json: boolean },
): Promise<void> {
  const { stdout, memoryMiB: machineMemoryMiB, checkpointMiB } = learned.services, { estimate, jobs } = plan;
  const resources = await planResources(plan.plan, { estimate, jobs, machineMemoryMiB, checkpointMiB });
  const processors = await processorsOf(plan, learned), { diskMiBOf } = resources;
  const costs = planCosts(plan.plan, plan.cells, { processors, jobs, diskMiBOf });
  const view = { ...plan, resources, processors, costs };
  stdout(json ? JSON.stringify(planDocument(view), null, 2) + "\n" : planText(view));
}
