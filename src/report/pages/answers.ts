/** The answer of the table over all papers in sentences, and how far it can be trusted. */
import { formatBits } from "../../catalog/bits.ts";
import type { CoreTable } from "../../catalog/suite.ts";
import { armTitle, modelTitle } from "../../catalog/titles.ts";
import { decide, MINIMUM_SEEDS } from "../judge/decision.ts";
import { sum, tTwoSided } from "../judge/statistics/basics.ts";
import { holm } from "../judge/statistics/paired.ts";
import { detectableDifference, POWER } from "../judge/statistics/student.ts";
import type { ReportTable } from "../judge/tables.ts";
import { SIGNIFICANCE } from "../judge/verdict.ts";
import { counted, listed, points, pText, signed } from "../labels.ts";

/** The table and its rows. */
interface Judged {
  readonly core: CoreTable;
  readonly table: ReportTable;
}

/**
 * Says for each width what the table decides: by the 95 % t interval of each difference to LSQ alone, of at least 3 seeds,
 * and what Holm's correction for all of them leaves. A width at which no paper's method has 3 seeds has no sentence.
 *
 * @param methods Ids of the papers' own methods.
 */
export function answers({ core, table }: Judged, methods: readonly string[]): string[] {
  const controls = new Set(core.arms.flatMap(({ controls = [] }) => controls));
  return core.bits.flatMap((bits) => {
    const judged = table.rows.filter((row) =>
      row.weightBits === bits.weights && row.activationBits === bits.activations
    )
      .flatMap(({ arm, differenceToLsq, holmP, holmRows }) => {
        if (differenceToLsq === null || differenceToLsq.n < MINIMUM_SEEDS) return [];
        const { direction } = decide(differenceToLsq, { sign: 1, margin: 0, size: null });
        const isOwn = methods.includes(arm.id), isBaseline = !isOwn && !controls.has(arm.id), title = armTitle({ arm });
        const text = `${title} ${signed(differenceToLsq.mean)}${isBaseline ? " (a baseline)" : ""}`;
        return [{ arm, direction, text, title, isOwn, stays: holmP !== null && holmP <= SIGNIFICANCE, holmRows }];
      });
    const own = judged.filter(({ isOwn }) => isOwn);
    if (own.length === 0) return [];
    const found = (isOwn: boolean, direction: string) =>
      judged.filter((item) => item.isOwn === isOwn && item.direction === direction).map(({ text }) => text);
    const said = (items: readonly string[], where: string) =>
      items.length === 0 ? [] : [`${listed(items)} ${items.length === 1 ? "is" : "are"} ${where}`];
    const missing = core.arms.filter(({ id }) => methods.includes(id) && !own.some(({ arm }) => arm.id === id));
    const above = found(true, "holds");
    const parts = [
      ...(above.length === 0 ? ["no paper's method is above LSQ"] : said(above, "above LSQ")),
      ...said(found(true, "fails"), "below it"),
      ...said(found(true, "undecided"), "undecided"),
      ...(missing.length === 0
        ? []
        : [`fewer than ${MINIMUM_SEEDS} seeds: ${listed(missing.map(({ title }) => title))}`]),
      ...said(found(false, "holds"), "above LSQ"),
    ];
    const stay = judged.filter(({ stays }) => stays).map(({ title }) => title);
    return [
      `Protocol ${core.protocol}, ${modelTitle(core.model)}, ${formatBits(bits)}: ${parts.join("; ")}. ` +
      `That is by the 95 % interval of each row alone. After Holm's correction for ${
        counted(own[0]!.holmRows, "comparison")
      }, ${
        stay.length === 0
          ? "none of these differences is significant"
          : `only ${listed(stay)} ${stay.length === 1 ? "differs" : "differ"} significantly`
      }.`,
    ];
  });
}

/** Sizes of the sets of seeds whose power is stated. */
const SET_SIZES = [3, 5, 10] as const;

/** Spread of the paired differences to LSQ at one width, pooled over rows. */
interface Spread {
  readonly sd: number;
  readonly freedom: number;
  readonly rows: number;
}

/** Null: no row has a spread. */
function pooledSpread(
  { core, table }: Judged,
  { bits, withControls }: { readonly bits: CoreTable["bits"][number]; readonly withControls: boolean },
): Spread | null {
  const controls = new Set(withControls ? [] : core.arms.flatMap(({ controls = [] }) => controls));
  const spreads = table.rows.flatMap(({ arm, weightBits, activationBits, differenceToLsq: difference }) =>
    weightBits === bits.weights && activationBits === bits.activations && !controls.has(arm.id) && difference?.sd
      ? [{ freedom: difference.n - 1, sd: difference.sd }]
      : []
  );
  if (spreads.length === 0) return null;
  const freedom = sum(spreads, (item) => item.freedom);
  const sd = Math.sqrt(sum(spreads, (item) => item.freedom * item.sd ** 2) / freedom);
  return { sd, freedom, rows: spreads.length };
}

/**
 * Says for each width how small a difference to LSQ the table can show, by the spread of its baselines and methods, pooled.
 * A width without a spread is left out.
 */
export function detection(judged: Judged): string[] {
  return judged.core.bits.flatMap((bits) => {
    const spread = pooledSpread(judged, { bits, withControls: false });
    if (spread === null) return [];
    const sizes = SET_SIZES.map((n) => `${n} seeds ${points(detectableDifference(spread.sd, n))}`);
    return [
      `${formatBits(bits)}: a paired difference to LSQ has a standard deviation of ${
        points(spread.sd)
      } points from seed to seed ` +
      `(pooled over ${counted(spread.rows, "method")}). The smallest true difference that a 95 % interval shows in ` +
      `${100 * POWER} % of all cases: ${sizes.join(", ")}`,
    ];
  });
}

/**
 * Says which differences to LSQ Holm's correction would leave if each width had one standard deviation, the pooled one, in
 * place of each row's own, which three seeds hardly tell. A check of how much hangs on that: no verdict uses it.
 */
export function pooledCheck(judged: Judged): string[] {
  const tested = judged.table.rows.flatMap(
    ({ arm, weightBits, activationBits, differenceToLsq: difference, holmP }) => {
      const bits = judged.core.bits.find(({ weights, activations }) =>
        weights === weightBits && activations === activationBits
      );
      const spread = bits ? pooledSpread(judged, { bits, withControls: true }) : null;
      if (difference === null || holmP === null || !spread) return [];
      const p = tTwoSided(difference.mean / (spread.sd / Math.sqrt(difference.n)), spread.freedom);
      return [{ title: `${armTitle({ arm })} at ${formatBits(bits!)}`, p, own: holmP }];
    },
  );
  if (tested.length === 0) return [];
  const pooled = holm(tested.map(({ p }) => p));
  const both = tested.map((item, index) => ({ ...item, pooled: pooled[index]! }));
  const said = both.filter(({ own, pooled }) => Math.min(own, pooled) <= SIGNIFICANCE)
    .map(({ title, own, pooled }) => `${title} ${pText(own)} and ${pText(pooled)}`);
  return [
    `How much hangs on the spread of three seeds: Holm's p over all ${
      counted(tested.length, "comparison")
    }, by each row's ` +
    "own standard deviation, as in the table below, and by one pooled over all rows of its width, a check that was chosen after " +
    `seeing the results: ${
      said.length === 0
        ? `none is at most ${SIGNIFICANCE} by either`
        : `${said.join("; ")}; no other is at most ${SIGNIFICANCE} by either`
    }`,
  ];
}
