import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import { CPU_VARIABLES, gpuVariables, measureCase, runProcesses } from "../../perf/peers/measure.ts";
import { peerLine, peerOptions } from "../../perf/peers/options.ts";
import { overviewPage, readMeasurements } from "../../perf/peers/overview.ts";
import { IMITATED, peerJson, peerName, peerPage } from "../../perf/peers/page.ts";
import { findPython, obstacles, othersBusy, parseProcessors, processorTicks } from "../../perf/peers/processes.ts";
import type { PeerMeasurement, Side, SideName } from "../../perf/peers/measurement.ts";
import { median, summarise } from "../../perf/peers/result.ts";
import { ARMS, GPU_MODELS, PEER_MODELS } from "../../perf/peers/steps.ts";
import { readWork, writeWork } from "../../perf/peers/work.ts";
import { InputError } from "../../src/errors.ts";
import { openEngine } from "../../src/engine/mod.ts";
import { wholeRuns } from "../../perf/peers/whole_runs.ts";
import { openRun, writeRecord } from "../../src/store/store.ts";
import { doneRecord } from "../support/fakes/fake_trainer.ts";
import { withNvidia } from "../support/fakes/nvidia.ts";
import { fpSpec, withFolder } from "../support/fakes/specs.ts";
import { AGREES, measurement, sample, side } from "../support/peers.ts";

const ROOT = resolve(import.meta.dirname!, "../..");

/** The table rows of a page. */
function tableOf(page: string): string[] {
  return page.split("\n").filter((line) => line.startsWith("| resnet20")).map((line) => line.replace(/ +/g, " "));
}

Deno.test("peerPage() gives speeds, ratios within a round, memory and agreement", () => {
  const page = peerPage(measurement(AGREES)), step = "| resnet20, LSQ W4A4, batch 128 |";
  assert.deepEqual(tableOf(page), [
    `${step} Requant | 100 | 50 to 200 | | | 50 % | 1024 | | |`,
    `${step} PyTorch eager, channels_last | 50 | 50 to 50 | (2.00x, 1.00 to 4.00) | 2.00x, 2.00 to 4.00 | 50 % | 2048 | 0.50x | agree, differ by 0.0e+0 |`,
    `${step} torch.compile, channels_last | 100 | 100 to 100 | (1.00x, 0.50 to 2.00) | 1.00x, 0.50 to 2.00 | 50 % | 1024 | 1.00x | agree, differ by 8.7e-4 |`,
  ]);
  assert.match(page, /^- The machine's other cores were busy 93 % of the time meanwhile, for all sides alike$/m);
  assert.match(
    page,
    /^- One process of a side at a time, one thread each, tied to core 1 of the machine, the same for all$/m,
  );
});

Deno.test("peerPage() puts a ratio by the clock in parentheses unless both sides had their core", () => {
  const alone = (name: SideName, seconds: number) => side(name, [sample(seconds, { cpuSeconds: 0.9 * seconds })]);
  const base = measurement(AGREES), sides = [alone("requant", 1), alone("eager", 3), alone("compile", 2)];
  const page = peerPage({ ...base, cases: [{ ...base.cases[0]!, sides }] });
  assert.match(tableOf(page)[1]!, /\| 3\.00x, 3\.00 to 3\.00 \| 3\.00x, 3\.00 to 3\.00 \| 90 % \|/);
});

Deno.test("peerPage() gives the reason why a side was not run", () => {
  const page = peerPage(measurement(side("compile", [], "there is no compiler")));
  assert.match(page, /torch\.compile, channels_last +\|( +\|)+ not run: there is no compiler +\|/);
});

Deno.test("summarise() adds up the processes of two cores", () => {
  const both = (name: SideName, seconds: number): Side => ({
    name,
    rounds: [[sample(seconds), sample(2 * seconds)]],
    notRun: null,
  });
  const base = measurement(AGREES), sides = [both("requant", 1.28), both("eager", 2.56), both("compile", 1.28)];
  const [ours, eager] = summarise({ ...base, cases: [{ ...base.cases[0]!, sides }] });
  assert.equal(ours!.imagesPerSecond, 150);
  assert.equal(eager!.imagesPerSecond, 75);
  assert.equal(eager!.speedRatio, 2);
});

Deno.test("median() is the middle, or the mean of the middle two", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.throws(() => median([]), RangeError);
});

Deno.test("measureCase() runs the sides in turn and leaves out one that fails", async () => {
  const calls: string[] = [];
  const result = await measureCase({
    model: "resnet20",
    arm: "fp",
    batch: 8,
    learningRate: 0.1,
    work: "work",
    sides: ["requant", "eager", "compile"],
    rounds: 2,
    fillCache: true,
    absent: {},
    log: () => {},
    run: (name, work) => {
      calls.push(name);
      assert.equal(work, "work");
      if (name === "eager" && calls.length > 3) return Promise.reject(new Error("out of memory"));
      return Promise.resolve([sample(calls.length)]);
    },
  });
  assert.deepEqual(calls, ["compile", "requant", "eager", "compile", "requant", "eager", "compile"]);
  assert.deepEqual(result.sides.map(({ name, rounds, notRun }) => [name, rounds.map(([s]) => s!.seconds), notRun]), [
    ["requant", [2, 5], null],
    ["eager", [], "out of memory"],
    ["compile", [4, 7], null],
  ]);
});

Deno.test("measureCase() does not start a side that is absent", async () => {
  const calls: string[] = [];
  const result = await measureCase({
    model: "resnet20",
    arm: "fp",
    batch: 8,
    learningRate: 0.1,
    work: "work",
    sides: ["requant", "eager", "compile"],
    rounds: 1,
    fillCache: true,
    absent: { compile: "no compiler" },
    log: () => {},
    run: (name) => {
      calls.push(name);
      return Promise.resolve([sample(1)]);
    },
  });
  assert.deepEqual(calls, ["requant", "eager"]);
  assert.equal(result.sides[2]!.notRun, "no compiler");
});

/** The options of a command line; what commander refuses: test/cli/command_line_test.ts. */
function options(...args: string[]) {
  return peerOptions(peerLine().parse(args, { from: "user" }).opts());
}

Deno.test("peer reads options, refuses what it cannot use, and writes into reports/ with --write only", () => {
  assert.deepEqual(options("--models", "resnet18,resnet20", "--rounds", "3", "--batch", "16", "--json"), {
    models: ["resnet18", "resnet20"],
    arms: null,
    sides: null,
    rounds: 3,
    cores: 1,
    gpu: false,
    float32: false,
    imitate: false,
    runs: null,
    batch: 16,
    torch: null,
    json: true,
    out: "runs/peers",
  });
  assert.equal(options("--write").out, "reports");
  for (const { model } of PEER_MODELS) assert.ok(peerLine().helpInformation().includes(model));
  assert.throws(
    () => options("--models", "vgg"),
    new InputError(
      'Cannot measure model "vgg" as it is not among the peers\' models: ' +
        "choose from resnet20, resnet18, mobilenetv2",
    ),
  );
  assert.deepEqual(options("--sides", "onednn,compile").sides, ["onednn", "compile"]);
  assert.throws(
    () => options("--sides", "jax"),
    new InputError(
      'Cannot measure side "jax" as there is none of that name: ' +
        "choose from requant, onednn, bf16, eager, compile, autocast, brevitas",
    ),
  );
  assert.throws(
    () => options("--cores", "3"),
    new InputError('Cannot use --cores "3" as it must be a whole number from 1 to 2: leave it out for the default'),
  );
});

Deno.test("othersBusy() counts the processors that were not measured on", () => {
  const before = processorTicks("cpu  1 2 3 4\ncpu0 10 0 0 10 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0 0 0 0\n");
  const after = processorTicks("cpu  1 2 3 4\ncpu0 40 5 5 20 10 0 5 5 0 0\ncpu1 50 0 0 0 0 0 0 0 0 0\n");
  assert.deepEqual(before[0], { busy: 10, total: 20 });
  assert.equal(othersBusy(before, after, [1]), 50 / 70);
  assert.equal(othersBusy(before, after, [0, 1]), null);
  assert.deepEqual(parseProcessors("0,2-4"), [0, 2, 3, 4]);
});

Deno.test("writeWork() gives both sides calibrated step sizes, damped blocks and whole bytes", async () => {
  const engine = await openEngine("wasm"), folder = await Deno.makeTempDir();
  try {
    const path = join(folder, "work.safetensors");
    await writeWork(engine, path, { model: "resnet20", arm: "lsq_w4a4", batch: 2, learningRate: 0.1 });
    const { work, training, images, labels } = await readWork(path);
    assert.equal(Object.keys(work.layers).length, 22);
    assert.deepEqual(work.layers["stem/conv"], {
      weightBits: 8,
      inputBits: 8,
      inputSigned: true,
      asymmetric: false,
    });
    assert.deepEqual(work.layers["stage1/block0/conv1"], {
      weightBits: 4,
      inputBits: 4,
      inputSigned: false,
      asymmetric: false,
    });
    assert.ok(Math.abs(training.params["stage2/block1/norm2/gamma"]!.dataSync()[0]! - 0.1) < 1e-7);
    assert.equal(training.params["stage2/block1/norm1/gamma"]!.dataSync()[0], 1);
    assert.ok(training.params["classifier/input_quantizer/step_size"]!.dataSync()[0]! > 1e-3);
    assert.deepEqual([images["view0"]!.shape, images["view0"]!.dtype], [[2, 32, 32, 3], "int32"]);
    assert.deepEqual([...labels.dataSync()], [0, 1]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("findPython() and obstacles() say what a Python lacks", async () => {
  const missing = join(ROOT, "no-python");
  await assert.rejects(
    findPython(missing, () => {}),
    new InputError(
      `Cannot use --torch ${missing} as it is no Python that imports torch: install torch==2.13.0 there, ` +
        "or leave --torch out",
    ),
  );
  const { brevitas } = await obstacles(missing);
  assert.equal(brevitas, `${missing} cannot import brevitas: install brevitas==0.13.4 there`);
});

Deno.test("Brevitas is measured in LSQ steps alone, which are all that it is written for", () => {
  const arms = PEER_MODELS.flatMap(({ brevitas }) => brevitas);
  assert.ok(arms.length > 0);
  for (const arm of arms) assert.deepEqual([ARMS[arm].quantizer, ARMS[arm].method.name], ["lsq", "qat"]);
});

Deno.test("networks.py has a network for every model of the peers", () => {
  const text = Deno.readTextFileSync(join(ROOT, "perf/peers/networks.py"));
  const networks = text.slice(text.indexOf("NETWORKS = {"));
  for (const { model } of [...PEER_MODELS, ...GPU_MODELS]) assert.match(networks, new RegExp(`^ +"${model}":`, "m"));
});

Deno.test("peerPage() of a GPU counts the clock, leaves out what is not known, and has files of its own", () => {
  const known = measurement(AGREES),
    base = {
      ...known,
      cases: known.cases.map((item) => ({
        ...item,
        sides: item.sides.map((side) => ({
          ...side,
          rounds: side.rounds.map((round) => round.map((sample) => ({ ...sample, peakBytes: null }))),
        })),
      })),
    };
  const onGpu = (tf32: string): PeerMeasurement => ({
    ...base,
    environment: {
      ...base.environment,
      gpu: "A GPU",
      pinned: null,
      othersBusy: null,
      variables: { NVIDIA_TF32_OVERRIDE: tf32 },
    },
  });
  const page = peerPage(onGpu("0"));
  assert.deepEqual(tableOf(page).slice(0, 2), [
    "| resnet20, LSQ W4A4, batch 128 | Requant | 100 | 50 to 200 | | |",
    "| resnet20, LSQ W4A4, batch 128 | PyTorch eager, channels_last | 50 | 50 to 50 | 2.00x, 1.00 to 4.00 | agree, differ by 0.0e+0 |",
  ]);
  assert.match(page, /one thread each, all on one GPU: A GPU, the same for all$/m);
  assert.match(page, /NVIDIA_TF32_OVERRIDE=0/);
  assert.doesNotMatch(page, /resident size|processor time/);
  assert.deepEqual([peerName(onGpu("0")), peerName(onGpu("1"))], ["peers_gpu", "peers_gpu_tf32"]);
});

Deno.test("peer takes other models on a GPU, with TF32 unless --float32, and an imitation", () => {
  const { gpu, float32, models } = options("--gpu");
  assert.deepEqual([gpu, float32, models], [true, false, GPU_MODELS.map(({ model }) => model)]);
  assert.deepEqual(GPU_MODELS.map(({ model, batch }) => [model, batch]), [
    ["resnet20", 128],
    ["resnet18", 256],
    ["resnet18_imagenet", 256],
  ]);
  assert.deepEqual(gpuVariables(options("--gpu")), { NVIDIA_TF32_OVERRIDE: "1" });
  assert.deepEqual(gpuVariables(options("--gpu", "--float32", "--imitate")), {
    NVIDIA_TF32_OVERRIDE: "0",
    ...CPU_VARIABLES,
  });
  for (
    const [args, message] of [
      [["--float32"], "Cannot use --float32 without --gpu as a CPU has no TF32: add --gpu"],
      [["--imitate"], "Cannot use --imitate without --gpu as it is a GPU's steps: add --gpu"],
      [
        ["--gpu", "--models", "mobilenetv2"],
        'Cannot measure model "mobilenetv2" as it is not among the peers\' models: choose from resnet20, resnet18, ' +
        "resnet18_imagenet",
      ],
    ] as const
  ) assert.throws(() => options(...args), new InputError(message));
});

Deno.test("peerPage() of a GPU has its memory where it is known, and says where a CPU took its place", () => {
  const base = measurement(AGREES), environment = { ...base.environment, pinned: null, othersBusy: null };
  const page = peerPage({ ...base, environment: { ...environment, gpu: "A GPU" } });
  assert.match(tableOf(page)[1]!, /\| 2048 \| 0\.50x \| agree/);
  assert.match(page, /Memory is what the GPU had in use at most, less what it had before/);
  const imitated = { ...base, environment: { ...environment, gpu: IMITATED } };
  assert.match(
    peerPage(imitated),
    /A CPU took the place of the GPU, to try the command: no figure here is one of a GPU/,
  );
  assert.equal(peerName(imitated), "peers_gpu_imitated");
});

Deno.test("peerPage() gives the speed of whole runs, each and together, from the records of a folder", () =>
  withFolder((out) => {
    assert.throws(
      () => wholeRuns(out),
      /^InputError: Cannot use --runs .* as no run is done there: run `deno task bench /,
    );
    const one = (seed: number, startedAt: string) => {
      const spec = fpSpec({ seed, dataset: { ...fpSpec().dataset, trainExamples: 1000 } });
      openRun(out, spec);
      writeRecord(out, doneRecord(spec, { startedAt, wallSeconds: 10, imagesPerSecond: 250 }));
    };
    one(0, "2026-12-01T00:00:05.000Z");
    one(1, "2026-12-01T00:00:00.000Z");
    const page = peerPage({ ...measurement(AGREES), runs: wholeRuns(out) });
    // 1000 images in 10 s each; 2000 in 15 s together
    assert.match(page, /\| fp resnet8 seed 1, batch 64 +\| +250 \| +100 \| +41\.00 \|\n\| fp resnet8 seed 0,/);
    assert.match(page, /Training images of 2 runs, from the first start to the last end: 133 a second together\./);
  }));

Deno.test("measureCase() of a GPU takes the growth of its memory for each process's", () =>
  withFolder((folder) =>
    withNvidia(folder, {
      // 1000 MiB before, then 1500
      "nvidia-smi": `if [ -e ${folder}/asked ]; then echo "1500, 0"; exit; fi
        case "$*" in *memory.used*) : > ${folder}/asked; echo "1000, 0";; *) echo "0, GPU-aa11, X, 1, 81920";; esac`,
      python: `/bin/sleep 1; echo '${JSON.stringify(sample(1))}'`,
    }, async () => {
      const run = runProcesses({
        python: join(folder, "bin/python"),
        processors: null,
        cores: 1,
        place: "cuda",
        variables: {},
      });
      const [found] = await run("eager", "work");
      assert.equal(found!.peakBytes, 500 * 2 ** 20);
    })
  ));

Deno.test("peerPage() of one round tells no spread", () => {
  const three = measurement(AGREES), one = { ...three, rounds: 1 };
  one.cases = three.cases.map((item) => ({
    ...item,
    sides: item.sides.map(({ name, rounds, notRun }) => ({ name, rounds: rounds.slice(0, 1), notRun })),
  }));
  const page = peerPage(one);
  assert.deepEqual(tableOf(page).slice(0, 2), [
    "| resnet20, LSQ W4A4, batch 128 | Requant | 100 | one round | | | 50 % | 1024 | | |",
    "| resnet20, LSQ W4A4, batch 128 | PyTorch eager, channels_last | 50 | one round | (2.00x) | 2.00x | 50 % | 1024 | 1.00x | agree, differ by 0.0e+0 |",
  ]);
  assert.match(page, /^- 1 round, the sides in turn/m);
});

for (const { name: file } of Deno.readDirSync(join(ROOT, "reports"))) {
  const name = /^(peers.*)\.json$/.exec(file)?.[1];
  if (name === undefined) continue;
  Deno.test(`the committed ${name}.md and summary are what ${name}.json gives`, () => {
    const json = Deno.readTextFileSync(join(ROOT, `reports/${name}.json`));
    const { summary: _, costs: __, ...committed } = JSON.parse(json) as PeerMeasurement & {
      summary: unknown;
      costs: unknown;
    };
    // a processor of another kind has a page of its own: peers_avx2
    assert.equal(peerName(committed), name.replace(/_avx.*$/, ""));
    assert.equal(Deno.readTextFileSync(join(ROOT, `reports/${name}.md`)), peerPage(committed));
    assert.equal(json, peerJson(committed));
  });
}

Deno.test("the committed speed.md is what the committed measurements give", () => {
  const folder = join(ROOT, "reports");
  assert.equal(Deno.readTextFileSync(join(folder, "speed.md")), overviewPage(readMeasurements(folder)));
});

Deno.test("docs/engine.md names no speed that speed.md has not", () => {
  const text = Deno.readTextFileSync(join(ROOT, "docs/engine.md")),
    page = Deno.readTextFileSync(join(ROOT, "reports/speed.md"));
  const measured = [...text.matchAll(/^- [^:]*: ((?:.|\n {2})*)/gm)].filter(([item]) =>
    /at least|at most|AMX/.test(item)
  );
  const numbers = measured.flatMap(([, reached]) => reached!.match(/\d\.\d\d(?!\d)/g) ?? []);
  assert.ok(numbers.length >= 15, String(numbers));
  assert.deepEqual(numbers.filter((number) => !page.includes(number)), []);
});

Deno.test("overviewPage() divides the others' time by ours within a round, in parentheses where losses differ", () => {
  const alone = (name: SideName, seconds: number, losses?: number[]) =>
    side(name, [sample(seconds, losses && { losses }), sample(2 * seconds, losses && { losses })]);
  const differ = [3, 3, 3], base = measurement(AGREES);
  const rowsOf = (sides: readonly Side[]) =>
    overviewPage([{ name: "peers_a", measurement: { ...base, cases: [{ ...base.cases[0]!, sides }] } }]).split("\n")
      .filter((line) => line.includes("peers_a.md")).map((line) => line.replace(/ +/g, " "));
  const start = "| A CPU | peers_a.md |";
  assert.deepEqual(rowsOf([alone("requant", 1), alone("onednn", 0.5), alone("compile", 2)]), [
    `${start} tensorflow | | | 2.00 | | | 1.00 |`,
    `${start} onednn | 2.00 | | 4.00 | | | 1.00 |`,
  ]);
  assert.deepEqual(rowsOf([alone("requant", 1), alone("onednn", 0.5, differ), alone("compile", 2)]), [
    `${start} tensorflow | | | 2.00 | | | 1.00 |`,
    `${start} onednn | (2.00) | | (4.00) | | | 1.00 |`,
  ]);
});

Deno.test("deno task dev:peer refuses steps that none of the models is measured in, in one sentence", async () => {
  const main = join(ROOT, "perf/peers/main.ts");
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", main, "--models", "resnet18", "--arms", "mec_w4a4"],
  }).output();
  assert.equal(code, 2);
  assert.equal(
    new TextDecoder().decode(stderr),
    "Cannot measure mec_w4a4 as none of resnet18 is measured in it: see --help\n",
  );
});
