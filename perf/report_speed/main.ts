/**
 * 10,000 records to all outputs by the real command; the target is 5 seconds and 500 MB.
 *
 *   deno bench -A perf/report_speed/main.ts
 *
 * The records fill tables of all papers: 14 arms at 3 widths on 48 models, 5 seeds each, with curves of 10 epochs.
 */
import process from "node:process";
import { peakBytes } from "../peers/processes.ts";
import { record } from "../../test/report/fixtures.ts";

const ARMS = [
  ...["lsq", "pact", "lsq_plus", "lsq_asymmetric", "kd", "fpq", "cr", "lsq_two_view", "lsq_ema", "mec"],
  ...["fpq_sfp", "fpq_csd", "fpq_p03", "fpq_p05"],
];
const BITS = [[4, 4], [2, 4], [2, 2]] as const;
const SEEDS = [0, 1, 2, 3, 4];
const MODELS = Array.from({ length: 48 }, (_, index) => `model${index + 1}`);

/** A record a line. */
function lines(): string[] {
  return ARMS.flatMap((arm, armIndex) =>
    MODELS.flatMap((model, modelIndex) =>
      BITS.flatMap((bits, bitsIndex) =>
        SEEDS.map((seed) => {
          const hundredths = 9000 - 100 * bitsIndex + 10 * modelIndex + 5 * armIndex +
            10 * ((seed * 7 + armIndex * 3) % 5);
          return JSON.stringify(record({ arm, model, bits, seed, top1Percent: hundredths / 100, epochs: 10 }));
        })
      )
    )
  );
}

const folder = Deno.makeTempDirSync({ prefix: "requant-speed-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
const records = lines();
Deno.mkdirSync(`${folder}/records`);
Deno.writeTextFileSync(`${folder}/records/paper.jsonl`, records.join("\n") + "\n");
let run = 0;

Deno.bench({
  name: `${records.length} records to all outputs`,
  n: 1,
  warmup: 0,
  fn: async () => {
    const command = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--quiet",
        "src/cli/main.ts",
        "report",
        "--records",
        `${folder}/records`,
        "--out",
        `${folder}/${run++}`,
      ],
      stdout: "null",
      stderr: "null",
    });
    const start = performance.now(), child = command.spawn();
    let peak: number | null = null;
    const timer = setInterval(() => void (peak = peakBytes(child.pid) ?? peak), 50);
    const { code } = await child.status;
    clearInterval(timer);
    if (code !== 0) throw new Error(`report ended with ${code}`);
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    process.stderr.write(
      `${seconds} s, peak memory ${peak === null ? "unknown" : `${Math.round(peak / 2 ** 20)} MiB`}\n`,
    );
  },
});
