/** `deno task dev:peer`: see `--help`. */
import { join } from "node:path";
import { InputError } from "../../src/errors.ts";
import { helpAlone, runCommand } from "../../src/cli/command_line.ts";
import { openConsole } from "../../src/cli/console.ts";
import type { PeerCase, PeerMeasurement } from "./measurement.ts";
import { OVERVIEW, peerLine, type PeerOptions, peerOptions, REPORTS } from "./options.ts";

async function measure(options: PeerOptions): Promise<number> {
  const log = (line: string) => output.stderr(`${line}\n`);
  // loaded here: --help needs none of it
  const { openEngine } = await import("../../src/engine/mod.ts");
  const { hasBfloat16 } = await import("../../src/engine/onednn/isa.ts");
  const { OneDnn } = await import("../../src/engine/onednn/library.ts");
  const { locateOneDnn } = await import("../../src/engine/onednn/locate.ts");
  const { captureEnvironment } = await import("../../src/pool/environment.ts");
  const { writeFileAtomic } = await import("../../src/store/files.ts");
  const { CPU_VARIABLES, gpuVariables, measureCase, runProcesses } = await import("./measure.ts");
  const { IMITATED, peerJson, peerName, peerPage } = await import("./page.ts");
  const { wholeRuns } = await import("./whole_runs.ts");
  const { allowedProcessors, othersBusy, processorTicks } = await import("./processes.ts");
  const { canPin, findPython, obstacles } = await import("./processes.ts");
  const { SIDES } = await import("./measurement.ts");
  const { summarise } = await import("./result.ts");
  const { GPU_MODELS, PEER_MODELS, RECIPE, RULE } = await import("./steps.ts");
  const { writeWork } = await import("./work.ts");

  const steps = (options.gpu ? GPU_MODELS : PEER_MODELS).filter(({ model }) => options.models.includes(model))
    .flatMap(({ arms, ...model }) =>
      arms.filter((name) => options.arms?.includes(name) ?? true).map((arm) => ({ ...model, arm }))
    );
  if (steps.length === 0) {
    throw new InputError(
      `Cannot measure ${options.arms?.join(", ")} as none of ${
        options.models.join(", ")
      } is measured in it: see --help`,
    );
  }
  const variables = options.gpu ? gpuVariables(options) : CPU_VARIABLES, onGpu = options.gpu && !options.imitate;
  // before the engine is opened, which may take the GPU too
  if (options.gpu) { for (const [name, value] of Object.entries(variables)) Deno.env.set(name, value); }
  const engine = await openEngine("tensorflow", { threads: 1 });
  if ((engine.device === "gpu") !== onGpu) {
    throw new InputError(
      onGpu
        ? `Cannot measure on a GPU as the engine has none: ${engine.description}; see docs/engine.md, or leave --gpu out`
        : `Cannot measure on a CPU as the engine computes on a GPU: add --gpu, or set CUDA_VISIBLE_DEVICES to ""`,
    );
  }
  const library = options.gpu ? null : await locateOneDnn(), onednn = library !== null;
  const bf16 = library !== null && hasBfloat16(new OneDnn(library.library).isa);
  const python = await findPython(options.torch, log);
  const absent = await obstacles(python);
  const allowed = allowedProcessors(), { cores, rounds } = options;
  if (allowed && allowed.length < cores) {
    throw new InputError(
      `Cannot measure on ${cores} cores as this process may run on ${allowed.length}: take --cores ${allowed.length}`,
    );
  }
  const processors = allowed && !options.gpu && await canPin() ? allowed.slice(0, cores) : null;
  const place = onGpu ? "cuda" : options.gpu ? "imitated" : "cpu";
  const run = runProcesses({ python, processors, cores, place, variables });
  const { commit, dirty, os, cpu, versions } = captureEnvironment(engine);
  const gpu = options.gpu ? { gpu: onGpu ? versions["gpu"] ?? "unknown" : IMITATED } : {};
  const runs = options.runs === null ? {} : { runs: wholeRuns(options.runs) };
  const before = processorTicks(), folder = await Deno.makeTempDir({ prefix: "requant-peer-" });
  const cases: PeerCase[] = [];
  const measured = (): PeerMeasurement => {
    const samples = cases.flatMap(({ sides }) => sides).flatMap(({ rounds }) => rounds).flat();
    return {
      schema: 1,
      environment: {
        date: new Date().toISOString().slice(0, 10),
        os,
        cpu,
        ...gpu,
        commit,
        dirty,
        versions: Object.assign({}, versions, ...samples.map((sample) => sample.versions)) as Record<string, string>,
        pinned: processors,
        cores,
        othersBusy: processors && othersBusy(before, processorTicks(), processors),
        variables,
      },
      rounds,
      rule: RULE,
      recipe: RECIPE,
      cases,
      ...runs,
    };
  };
  const file = join(options.out, peerName(measured())), unfinished = `${file}.part.json`;
  try {
    for (const { model, arm, batch: ownBatch, learningRate, brevitas } of steps) {
      const work = join(folder, `${model}_${arm}.safetensors`);
      const same = { model, arm, batch: options.batch ?? ownBatch, learningRate };
      await writeWork(engine, work, same);
      const wanted = { brevitas: brevitas.includes(arm), onednn, bf16 };
      const sides = SIDES.filter((side, i) =>
        ((wanted as Partial<Record<typeof side, boolean>>)[side] ?? true) &&
        (i === 0 || (options.sides?.includes(side) ?? true))
      );
      cases.push(await measureCase({ ...same, work, sides, rounds, fillCache: !onGpu, absent, run, log }));
      writeFileAtomic(unfinished, peerJson(measured())); // hours may follow
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  const measurement = measured();
  const json = peerJson(measurement), page = peerPage(measurement);
  writeFileAtomic(`${file}.json`, json);
  writeFileAtomic(`${file}.md`, page);
  await Deno.remove(unfinished);
  output.stdout(options.json ? json : page);
  const failed = summarise(measurement).some(({ counts, notRun }) =>
    counts === false || (notRun !== null && !Object.values(absent).includes(notRun))
  );
  return failed ? 1 : 0;
}

async function writeOverview(): Promise<void> {
  const { overviewPage, readMeasurements } = await import("./overview.ts");
  const { writeFileAtomic } = await import("../../src/store/files.ts");
  const path = join(REPORTS, OVERVIEW);
  writeFileAtomic(path, overviewPage(readMeasurements(REPORTS)));
  output.stderr(`Wrote ${path}\n`);
}

const output = openConsole(), line = peerLine();
if (helpAlone(line, Deno.args, output)) Deno.exit(0);
Deno.exit(
  await runCommand<Parameters<typeof peerOptions>[0]>(line, Deno.args, {
    output,
    async act(values) {
      if (values.overview) return void await writeOverview();
      const code = await measure(peerOptions(values));
      if (values.write) await writeOverview();
      return code;
    },
  }),
);
