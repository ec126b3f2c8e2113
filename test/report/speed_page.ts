/** The invented paper of speed_bench.ts: 10 arms, 20 models and 10 widths; its records have 5 seeds each and 10 epochs. */
import type { Claim, PaperPage } from "../../src/report/types.ts";
import { PAGE, record } from "./fixtures.ts";

const ARMS = ["lsq", ...Array.from({ length: 9 }, (_, index) => `arm${index + 1}`)];
const MODELS = Array.from({ length: 20 }, (_, index) => `model${index + 1}`);
const BITS = [[8, 8], [6, 6], [5, 5], [4, 8], [4, 4], [3, 3], [2, 4], [4, 2], [2, 2], [1, 1]] as const;
const SEEDS = [0, 1, 2, 3, 4];
const WIDTHS = BITS.map(([weights, activations]) => ({ weights, activations }));

const CLAIMS = ARMS.slice(1).map((arm): Claim => ({
  id: arm,
  statement: `${arm} beats LSQ`,
  source: "Table 1",
  quantity: { kind: "top1" },
  arm,
  baseline: "lsq",
  relation: "above",
  dataset: "cifar10",
  models: MODELS,
  bits: WIDTHS,
  published: null,
  open: null,
}));

export const SPEED_PAGE: PaperPage = {
  ...PAGE,
  arms: ARMS.map((id) => ({ id, title: id, label: null, controls: id === "arm1" ? ["arm2", "arm3"] : [] })),
  tables: [{ ...PAGE.tables[0]!, arms: ARMS, bits: WIDTHS }],
  claims: CLAIMS,
};

/** 10,000 records, one a line. */
export function speedLines(): string[] {
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
