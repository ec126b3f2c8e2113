/** The page of a running grid: parts that the server sends anew when they change. Every text is escaped here. */
import type { TotalView } from "../pool/progress_display.ts";
import { describeTotal } from "../pool/progress_display.ts";
import { describeRun, type RunSpec } from "../record/spec.ts";
import { datasetTitle, modelTitle } from "../catalog/titles.ts";
import type { Panel } from "../report/pages/blocks.ts";
import { panelFigure } from "../report/pages/panel_figures.ts";
import { blocksHtml } from "../report/render/html/block_html.ts";
import { escaped } from "../report/render/figures/drawing.ts";
import type { Part, WatchedRun, WatchedState } from "./grid.ts";

/** Order of the rows, and a state's word. */
const STATES: Readonly<Record<WatchedState, string>> = {
  running: "running",
  failed: "failed",
  timeout: "out of time",
  diverged: "diverged",
  elsewhere: "elsewhere",
  stopped: "stopped",
  waiting: "waiting",
  done: "done",
};
const FAILURES: readonly WatchedState[] = ["failed", "timeout", "diverged"];
/** Rows of one state; the rest is counted. */
const MOST_ROWS = 40;

/** Everything that the page shows. */
export interface PageView {
  readonly title: string;
  readonly runs: ReadonlyMap<string, WatchedRun>;
  /** Null: a worker, which does not know the whole. */
  readonly total: TotalView | null;
  /** True: the site of the finished runs is served too. */
  readonly hasSite: boolean;
}

/** Writes one part of the page. */
export function partHtml(part: Part, view: PageView): string {
  switch (part) {
    case "progress":
      return progressHtml(view);
    case "failures":
      return failuresHtml(view);
    case "runs":
      return runsHtml(view);
    case "curves":
      return curvesHtml(view);
  }
}

/** Parts in the order of the page. */
export const PARTS: readonly Part[] = ["progress", "failures", "runs", "curves"];

/** Writes the whole page, which is up to date without its script too. */
export function watchPage(view: PageView): string {
  const sections = PARTS.map((part) => `<section id="${part}">\n${partHtml(part, view)}\n</section>`);
  const site = view.hasSite ? '\n<a href="/site/index.html">Report on the finished runs</a>' : "";
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escaped(view.title)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/style.css">
<link rel="stylesheet" href="/watch.css">
<script src="/watch.js" defer></script>
</head>
<body>
<header><nav aria-label="Pages">
<a href="/" aria-current="page">Running</a>${site}
</nav></header>
<main>
<h1>${escaped(view.title)}</h1>
<p id="connection" role="status">Load the page again to see what is new.</p>
${sections.join("\n")}
</main>
</body>
</html>
`;
}

function inState(runs: PageView["runs"], states: readonly WatchedState[]): WatchedRun[] {
  return [...runs.values()].filter(({ state }) => states.includes(state));
}

function progressHtml({ runs, total }: PageView): string {
  const counts = (Object.keys(STATES) as WatchedState[]).flatMap((state) => {
    const count = inState(runs, [state]).length;
    return count === 0 ? [] : [`${count} ${STATES[state]}`];
  });
  const told = total === null ? "" : `<p>${escaped(describeTotal(total))}</p>\n${bar(total.fraction, "All runs")}`;
  return `${told}\n<p>${counts.join(", ") || "No run yet"}</p>`;
}

function bar(fraction: number, label: string): string {
  const percent = Math.floor(100 * fraction);
  return `<progress max="100" value="${percent}" aria-label="${escaped(label)}">${percent} %</progress>`;
}

function runsHtml({ runs, hasSite }: PageView): string {
  const rows = (Object.keys(STATES) as WatchedState[]).flatMap((state) => {
    const found = inState(runs, [state]), more = found.length - MOST_ROWS;
    const last = more > 0 ? [`<tr><td colspan="6">and ${more} more: ${STATES[state]}</td></tr>`] : [];
    return [...found.slice(0, MOST_ROWS).map((one) => rowHtml(one, hasSite)), ...last];
  });
  const head = ["Run", "State", "Epoch", "Loss", "Images/s", "Top-1"].map((title, index) =>
    `<th scope="col"${index > 1 ? ' class="number"' : ""}>${title}</th>`
  );
  return `<div class="scroll" role="region" tabindex="0" aria-label="Runs"><table>
<caption>Runs; top-1 in percent, on the images that they are evaluated on</caption>
<thead><tr>${head.join("")}</tr></thead>
<tbody>
${rows.join("\n")}
</tbody></table></div>`;
}

function rowHtml({ run: { id, spec }, state, progress, curve, note }: WatchedRun, hasSite: boolean): string {
  const name = escaped(describeRun(spec)), { epochs } = spec.recipe;
  const title = state === "done" && hasSite ? `<a href="/site/runs/${id}.html">${name}</a>` : name;
  const isRunning = state === "running", at = curve.at(-1);
  const told = note === null || FAILURES.includes(state) ? "" : `<br><small>${escaped(note)}</small>`;
  const fraction = progress === null ? curve.length / Math.max(1, epochs) : progress.step / Math.max(1, progress.steps);
  const epoch = isRunning ? Math.max(progress?.epoch ?? 0, Math.min(epochs, curve.length + 1)) : curve.length;
  return `<tr class="${state}"><th scope="row">${title}${told}</th>` +
    `<td><span class="state">${STATES[state]}</span></td>` +
    `<td class="number">${isRunning ? `${bar(fraction, describeRun(spec))} ` : ""}${epoch}/${epochs}</td>` +
    `<td class="number">${(isRunning ? progress?.loss ?? at?.trainLoss : at?.trainLoss)?.toFixed(3) ?? ""}</td>` +
    `<td class="number">${isRunning && progress !== null ? Math.round(progress.imagesPerSecond) : ""}</td>` +
    `<td class="number">${at?.testTop1Percent.toFixed(2) ?? ""}</td></tr>`;
}

function failuresHtml({ runs }: PageView): string {
  const found = inState(runs, FAILURES);
  if (found.length === 0) return "";
  const items = found.slice(0, MOST_ROWS).map(({ run: { id, spec }, state, note, log }) => {
    const lines = log.length === 0 ? "" : `<pre tabindex="0"><code>${escaped(log.join("\n"))}</code></pre>\n`;
    return `<details id="failed-${id}"><summary><strong>${escaped(describeRun(spec))}</strong> ` +
      `<span class="state">${STATES[state]}</span> ${escaped(note ?? "no reason known")}</summary>\n` +
      `${lines}<p><a href="/runs/${id}/log.txt">Its log</a></p></details>`;
  });
  const more = found.length > MOST_ROWS ? `\n<p>and ${found.length - MOST_ROWS} more</p>` : "";
  return `<h2>Failures</h2>\n${items.join("\n")}${more}`;
}

/** Draws a figure for each data set and model, a panel for each arm at its bits, a line for each seed. */
function curvesHtml({ runs }: PageView): string {
  const begun = [...runs.values()].filter(({ curve }) => curve.length > 0);
  const groups = Map.groupBy(
    begun,
    ({ run: { spec } }) => `${modelTitle(spec.model)}, ${datasetTitle(spec.dataset.name)}`,
  );
  const figures = [...groups].flatMap(([name, group], index) =>
    panelFigure(panelsOf(group), {
      id: `curves-${index}`,
      caption: `${name}: top-1 by epoch, percent`,
      axes: { x: "Epoch", whole: true },
      place: (epoch) => `Epoch ${epoch}`,
      write: (value) => value.toFixed(2),
    })
  );
  return figures.length === 0 ? "" : `<h2>Learning curves</h2>\n${blocksHtml(figures, "/")}`;
}

function panelsOf(runs: readonly WatchedRun[]): (Panel & { arm: string })[] {
  const named = ({ arm, quantization }: RunSpec) =>
    quantization === null ? arm : `${arm} W${quantization.weightBits}A${quantization.activationBits}`;
  return [...Map.groupBy(runs, ({ run: { spec } }) => named(spec))].map(([label, group]) => ({
    label,
    arm: group[0]!.run.spec.arm,
    lines: group.map(({ curve }) => curve.map(({ epoch, testTop1Percent }) => ({ x: epoch, y: testTop1Percent }))),
  }));
}
