/**
 * 10,000 records to all outputs, written: the target is 5 seconds and 500 MB. `deno bench -A test/report/speed_bench.ts`
 *
 * An invented paper of 10 arms, 20 models and 10 widths, 5 seeds each, with curves of 10 epochs.
 */
import process from "node:process";
import { report } from "../../reports/report.ts";
import { PAGE, record } from "./fixtures.ts";

const ARMS = ["lsq", ...Array.from({ length: 9 }, (_, index) => `arm${index + 1}`)];
const MODELS = Array.from({ length: 20 }, (_, index) => `model${index + 1}`);
const BITS = [[8, 8], [6, 6], [5, 5], [4, 8], [4, 4], [3, 3], [2, 4], [4, 2], [2, 2], [1, 1]] as const;
const SEEDS = [0, 1, 2, 3, 4];

const page = {
  ...PAGE,
  arms: ARMS.map((id) => ({ id, title: id, label: null })),
  tables: [{
    ...PAGE.tables[0]!,
    arms: ARMS,
    bits: BITS.map(([weights, activations]) => ({ weights, activations })),
  }],
};

/** A record a line. */
function lines(): string[] {
  return ARMS.flatMap((arm, armIndex) =>
    MODELS.flatMap((model, modelIndex) =>
      BITS.flatMap((bits, bitsIndex) =>
        SEEDS.map((seed) => {
          const top1Percent = 90 - bitsIndex + modelIndex / 10 + armIndex / 20 + ((seed * 7 + armIndex * 3) % 5) / 10;
          return JSON.stringify(record({ arm, model, bits, seed, top1Percent, epochs: 10 }));
        })
      )
    )
  );
}

const folder = Deno.makeTempDirSync({ prefix: "requant-speed-" });
Deno.mkdirSync(`${folder}/records`);
Deno.writeTextFileSync(`${folder}/records/paper.jsonl`, lines().join("\n") + "\n");
let run = 0;

Deno.bench({
  name: "10,000 records to all outputs",
  n: 1,
  warmup: 0,
  fn: () => {
    const code = report(["--records", `${folder}/records`, "--out", `${folder}/out${run++}`], {
      pages: [page],
      deviations: {},
      stdout: () => {},
      stderr: (text) => void process.stderr.write(text),
    });
    if (code !== 0) throw new Error(`report ended with ${code}`);
    process.stderr.write(`peak memory of the process: ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB\n`);
  },
});

globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
