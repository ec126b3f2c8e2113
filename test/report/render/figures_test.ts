import assert from "node:assert/strict";
import { parseHTML } from "linkedom";
import type { ArmTitle } from "../../../src/catalog/paper.ts";
import type { Drawing, FigureBlock, IntervalRow, LabelledSeries, Role } from "../../../src/report/pages/blocks.ts";
import { measurementBlocks } from "../../../src/report/pages/measurements.ts";
import { meanLine, spread } from "../../../src/report/pages/panel_figures.ts";
import { roleOf } from "../../../src/report/pages/results.ts";
import { apart, usualRange, wrapped } from "../../../src/report/render/figures/drawing.ts";
import { powerText } from "../../../src/report/render/figures/panels.ts";
import { figureSvg } from "../../../src/report/render/figures/figure_svg.ts";
import type { Measurement } from "../../../src/record/measurement.ts";
import { PAGE, record } from "../fixtures.ts";

const ROW: IntervalRow = {
  group: "Net, W2A2",
  label: "A",
  role: "method",
  value: 1,
  low: 0,
  high: 2,
  n: 5,
  seeds: [],
  published: [3],
  texts: { value: "+1.00", spread: "[+0.00, +2.00]" },
};
const AXIS = { label: "points", zero: 0, heads: { value: "Points", spread: "95 %" } };

/** The picture of a drawing. */
function svgOf(drawing: Drawing): string {
  const text = { id: "a", caption: "A <title>", description: "Numbers & words" };
  return figureSvg({ kind: "figure", ...text, drawing, data: { columns: [], rows: [] } });
}

/** Numbers of an attribute of all elements that a selector finds. */
function numbers(svg: string, selector: string, attribute: string): number[] {
  const { document } = parseHTML(`<html><body>${svg}</body></html>`) as unknown as {
    document: { querySelectorAll(selector: string): Iterable<{ getAttribute(name: string): string }> };
  };
  return [...document.querySelectorAll(selector)].map((element) => Number(element.getAttribute(attribute)));
}

Deno.test("drawings bear their title and description as text, and the same input gives the same bytes", () => {
  const draw = () => svgOf({ kind: "intervals", rows: [ROW], axis: AXIS });
  assert.equal(draw(), draw());
  assert.match(
    draw(),
    /^<svg role="img" aria-labelledby="a-title a-text" [^>]*><title id="a-title">A &lt;title&gt;<\/title>/,
  );
  assert.match(draw(), /<desc id="a-text">Numbers &amp; words<\/desc>/);
  assert.doesNotMatch(draw(), /<style|aria-label=|\d\.\d{3}/);
});

Deno.test("figureSvg() puts means, intervals and published values on one linear axis, with value and n beside them", () => {
  const rows: IntervalRow[] = [
    ROW,
    { ...ROW, label: "B", value: 2, low: null, high: null, published: [0], n: 7 },
  ];
  const svg = svgOf({ kind: "intervals", rows, axis: AXIS });
  const [one, two] = numbers(svg, "circle", "cx");
  const unit = two! - one!;
  assert.ok(unit > 20);
  const line = /stroke-width="2.5"[^>]*><path [^>]*d="M([\d.]+),[\d.]+L([\d.]+),/.exec(svg)!;
  assert.ok(Math.abs(Number(line[1]) - (one! - unit)) < 0.2, "low is 0");
  assert.ok(Math.abs(Number(line[2]) - two!) < 0.2, "high is 2");
  const drawn = svg.slice(svg.indexOf('stroke="var(--published)"'));
  const diamonds = [...drawn.matchAll(/<path [^>]*transform="translate\(([\d.]+),/g)].map(([, x]) => Number(x));
  assert.ok(Math.abs(diamonds[0]! - (one! + 2 * unit)) < 0.2, "published 3");
  assert.ok(Math.abs(diamonds[1]! - (one! - unit)) < 0.2, "published 0");
  for (const text of ["+1.00", "[+0.00, +2.00]", "5", "7", "paper's method", "published"]) {
    assert.ok(svg.includes(`>${text}</text>`), text);
  }
});

Deno.test("a far outlier is cut with an arrow at its side, and the values of few rows never are", () => {
  const usual = Array.from({ length: 8 }, (_, index) => ({ ...ROW, label: `R${index}`, published: [] }));
  const far: IntervalRow = { ...ROW, label: "far", role: "control", value: -40, low: -80, high: 0, published: [] };
  const arrows = (rows: IntervalRow[]) => svgOf({ kind: "intervals", rows, axis: AXIS }).match(/rotate\(-?90\)/g) ?? [];
  assert.deepEqual(arrows([...usual, far]), ["rotate(-90)"]);
  assert.deepEqual(arrows([...usual, { ...far, value: 40, low: 0, high: 80 }]), ["rotate(90)"]);
  assert.deepEqual(arrows([ROW, far]), []);
  assert.deepEqual(usualRange([0, 1]), [-0.06, 1.06]);
});

Deno.test("every role has a colour and a shape of its own", () => {
  const roles: Role[] = ["method", "rebuilt", "control", "baseline"];
  const marks = roles.map((role) => {
    const svg = svgOf({ kind: "intervals", rows: [{ ...ROW, role, published: [] }], axis: AXIS });
    const [, colour, mark] = /fill="(var\(--\w+\))"><(circle|path d="[^"]*")/.exec(svg)!;
    return { colour, mark };
  });
  for (const part of ["colour", "mark"] as const) assert.equal(new Set(marks.map((mark) => mark[part])).size, 4, part);
  const arms: ArmTitle[] = [
    { id: "own", title: "", label: null, controls: ["part", "lsq"] },
    { id: "rebuilt", title: "", label: "stand-in", controls: ["part"] },
    { id: "part", title: "", label: null },
    { id: "lsq", title: "", label: null },
  ];
  assert.deepEqual(arms.map((arm) => roleOf(arm, arms)), ["method", "rebuilt", "control", "baseline"]);
});

Deno.test("apart() moves labels as little as keeps them from overlapping, in their order and inside", () => {
  assert.deepEqual(apart([10, 50, 90], [20, 20, 20], 100), [10, 50, 90], "nothing to do");
  assert.deepEqual(apart([50, 50], [20, 20], 100), [40, 60]);
  assert.deepEqual(apart([95, 95], [20, 20], 100), [70, 90], "inside");
  assert.deepEqual(apart([60, 10, 58], [20, 10, 20], 100), [69, 10, 49], "by place, not by index");
});

Deno.test("wrapped() breaks between words and never inside an equation", () => {
  assert.deepEqual(wrapped("FPQ (SFP + CSD, p = 0.1)", 17), ["FPQ (SFP + CSD,", "p\u00a0=\u00a00.1)"]);
  assert.deepEqual(wrapped("word", 2), ["word"]);
});

Deno.test("logarithmic axes have few ticks, which read as numbers do", () => {
  assert.deepEqual([-4, -3, -1, 0, 3, 5].map(powerText), ["0.0001", "0.001", "0.1", "1", "1,000", "100,000"]);
  assert.deepEqual([-7, 12].map(powerText), ["10⁻⁷", "10¹²"]);
  const line = [0.0007, 0.02, 3].map((y, x) => ({ x, y }));
  const svg = svgOf({
    kind: "panels",
    panels: [{ label: "A", lines: [line] }],
    axes: { x: "Place", logarithmic: true },
    baseline: null,
  });
  for (const tick of ["0.0001", "0.01", "1"]) assert.ok(svg.includes(`>${tick}</text>`), tick);
});

Deno.test("an enlarged figure has a row a method, all epochs at the left and the last three at the right", () => {
  const line = (...ys: number[]) => ys.map((y, index) => ({ x: index + 1, y }));
  const panels = [
    { label: "A", lines: [line(-5, 1, 2, 3, 1), line(-7, 1, 2, 5, 2)] },
    { label: "B", lines: [line(-20, 0, 0, 0, -0.5)] },
  ];
  const svg = svgOf({ kind: "enlarged", panels, axes: { x: "Epoch" } });
  const means = [...svg.matchAll(/stroke-width="2"[^>]*><path d="([^"]+)"/g)].map(([, path]) =>
    path!.split("L").length
  );
  assert.deepEqual(means, [5, 5, 3, 3]);
  for (const text of ["A", "B", "+1.50", "−0.50", "Epochs 3 to 5"]) assert.ok(svg.includes(`>${text}</text>`), text);
});

Deno.test("a labelled figure ties each name to its first point and draws the line through the others", () => {
  const series: LabelledSeries[] = [
    { label: "LSQ", role: "baseline", points: [{ x: 0, y: 80 }, { x: 1, y: 88 }] },
    { label: "FPQ", role: "method", points: [{ x: 0, y: 80 }, { x: 1, y: 89 }] },
  ];
  const names = [{ at: 0, name: "W2A2" }, { at: 1, name: "W4A4" }];
  const axes = { x: "Bits", y: "Top-1", names };
  const svg = svgOf({ kind: "labelled", series, axes, reference: { label: "Full precision", y: 90 } });
  for (const text of ["LSQ", "FPQ", "W2A2", "W4A4", "Full precision", "Top-1"]) {
    assert.ok(svg.includes(`>${text}</text>`), text);
  }
  assert.equal(svg.match(/stroke-opacity="0.25"[^>]*>(<path[^>]*>){2}/g)?.length, 1, "two ties");
  const at = (name: string) => Number(new RegExp(`translate\\([\\d.]+,([\\d.]+)\\)"[^>]*>${name}<`).exec(svg)![1]);
  assert.ok(Math.abs(at("LSQ") - at("FPQ")) >= 15, "names of equal points do not overlap");
});

Deno.test("a labelled figure has at least two points of y, so that a difference within the noise looks small", () => {
  const ticks = (...tops: readonly number[]) => {
    const series = tops.map((y, index): LabelledSeries => ({
      ...{ label: `Method ${index}`, role: "baseline", points: [{ x: index, y }] },
    }));
    const svg = svgOf({ kind: "labelled", series, axes: { x: "Cost", y: "Top-1" }, reference: null });
    return [...svg.matchAll(/>([\d.]+)<\/text>/g)].map(([, text]) => Number(text)).filter((value) => value > 50);
  };
  const near = ticks(88.22, 88.33), far = ticks(80, 88);
  assert.ok(Math.min(...near) <= 87.5 && Math.max(...near) >= 89, near.join());
  assert.deepEqual([Math.min(...far), Math.max(...far)], [80, 88]);
});

Deno.test("figureSvg() has a panel a method, the mean bold and the baseline dashed in each", () => {
  const line = (...ys: number[]) => ys.map((y, index) => ({ x: index + 1, y }));
  const panels = [
    { label: "LSQ", lines: [line(1, 2, 3), line(3, 4, 5)] },
    { label: "Other", lines: [line(2, 3, 9)] },
  ];
  const svg = svgOf({ kind: "panels", panels, axes: { x: "Epoch", whole: true }, baseline: panels[0]! });
  const groups = (attribute: string) => svg.match(new RegExp(`<g[^>]*${attribute}[^>]*>(?:(?!</g></g>).)*`))![0];
  assert.equal(groups('stroke-dasharray="4 3"').match(/<path/g)!.length, 2, "the baseline in both panels");
  assert.equal(groups('stroke-width="0.75"').match(/<path/g)!.length, 2, "two seeds of LSQ; a single line is the mean");
  assert.equal(groups('stroke-width="2"').match(/<path/g)!.length, 2);
  assert.deepEqual(meanLine(panels[0]!.lines), line(2, 3, 4));
  assert.deepEqual(meanLine([line(1, 2, 3), line(3)]), line(2, 2, 3), "only lines that reach the place");
});

Deno.test("figureSvg() draws higher accuracies higher, also for one epoch", () => {
  const run = record({ epochs: 5 });
  const drawn = (curve: typeof run.curve) =>
    svgOf({
      kind: "curve",
      test: curve.map(({ testTop1Percent }) => testTop1Percent),
      train: curve.map(({ trainTop1Percent }) => trainTop1Percent),
    });
  const svg = drawn(run.curve);
  const test = /stroke-width="2" points="([^"]+)"/.exec(svg)![1]!.split(" ").map((point) =>
    point.split(",").map(Number)
  );
  assert.equal(test.length, 5);
  const tops = run.curve.map(({ testTop1Percent }) => testTop1Percent);
  const slope = (test[4]![1]! - test[0]![1]!) / (tops[4]! - tops[0]!);
  assert.ok(slope < 0);
  test.forEach(([, y], index) => assert.ok(Math.abs(y! - test[0]![1]! - slope * (tops[index]! - tops[0]!)) < 0.2));
  assert.equal(numbers(drawn(run.curve.slice(0, 1)), "circle", "r").length, 2);
});

Deno.test("spread() keeps the last place and at most the wanted number", () => {
  assert.deepEqual(spread(4, 10), [1, 2, 3, 4]);
  assert.deepEqual(spread(20, 10), [2, 4, 6, 8, 10, 12, 14, 16, 18, 20]);
  assert.deepEqual(spread(21, 10), [3, 6, 9, 12, 15, 18, 21]);
  assert.deepEqual(spread(1, 10), [1]);
});

function measured(arm: string, seed: number, changes: Partial<Measurement>): Measurement {
  const { id, spec, environment } = record({ arm, seed });
  return {
    schema: 1,
    name: "hessian_trace",
    options: { images: 8, probes: 2, relativeStep: 0.03, moved: "quantized", seed: 0 },
    run: id,
    spec,
    values: { trace: 100, standardError: 3, relativeTrace: 1, relativeStandardError: 0.1 },
    epochs: [],
    environment,
    dataSha256: "a".repeat(64),
    seconds: 1,
    ...changes,
  };
}

Deno.test("measurementBlocks() has a table a measurement, and a figure of what it has lines of", () => {
  const trace = (epoch: number, value: number) => ({
    epoch,
    values: { trace: value, standardError: 1, relativeTrace: 1, relativeStandardError: 0.1 },
  });
  const coding = {
    name: "feature_coding",
    options: { images: 20, blockSize: 10, distortions: [0.125] },
    values: {
      codingLengths: [0.5],
      codingLengthsError: [0.01],
      effectiveRank: 8,
      centredEffectiveRank: 7,
      spectrum: [100, 1, 0],
      centredSpectrum: [3, 2, 1],
    },
  };
  const blocks = measurementBlocks(PAGE, [
    measured("lsq", 0, { epochs: [trace(1, 300), trace(2, 100)] }),
    measured("lsq", 1, { epochs: [trace(1, 200), trace(2, 50)] }),
    measured("good", 0, { epochs: [trace(1, 100), trace(2, 25)] }),
    measured("good", 0, coding),
    measured("nobody", 0, coding),
  ]);
  assert.deepEqual(blocks.filter(({ kind }) => kind === "table").length, 2);
  const figures = blocks.filter((block): block is FigureBlock => block.kind === "figure");
  assert.deepEqual(figures.map(({ caption }) => caption.split(". ")[0]), [
    "Coding length and effective rank of test features, features: ResNet-18, W2A2, protocol paper",
    "Coding length and effective rank of test features, centred features: ResNet-18, W2A2, protocol paper",
    "Trace of the Hessian, Tr H: ResNet-18, W2A2, protocol paper",
  ]);
  assert.match(figures[0]!.caption, /Eigenvalue, logarithmic/, "100 to 1");
  assert.doesNotMatch(figures[1]!.caption, /logarithmic/);
  assert.deepEqual(figures[2]!.data.rows, [["LSQ", "250", "75"], ["Good", "100", "25"]]);
  assert.deepEqual(measurementBlocks(PAGE, [measured("nobody", 0, {})]), []);
});

Deno.test("measurementBlocks() has protocols and methods in the order of the page's tables, and smoke only if alone", () => {
  const of = (arm: string, changes: Parameters<typeof record>[0]) => {
    const { id, spec } = record({ arm, ...changes });
    return measured(arm, 0, { run: id, spec });
  };
  const rows = (all: Measurement[]) => {
    const [table] = measurementBlocks(PAGE, all).filter((block) => block.kind === "table");
    return table!.rows.map((row) => `${row[0]}, ${row[2]}, ${row[3]}`);
  };
  const smoke = of("lsq", { protocol: "smoke" });
  assert.deepEqual(rows([smoke]), ["LSQ, W2A2, smoke"]);
  assert.deepEqual(
    rows([
      ...[of("good", { protocol: "reduced" }), smoke, of("lsq", { protocol: "reduced" }), of("good", {})],
      ...[of("lsq", { bits: [4, 4] }), of("fp", { bits: null }), of("lsq", {})],
    ]),
    [
      ...["Full precision, FP, paper", "LSQ, W4A4, paper", "LSQ, W2A2, paper", "Good, W2A2, paper"],
      ...["LSQ, W2A2, reduced", "Good, W2A2, reduced"],
    ],
  );
});
