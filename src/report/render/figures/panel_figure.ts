import type { FigureBlock } from "../../pages/blocks.ts";
import { meanLine, type Panel, type PanelAxes, panelDrawing } from "./panels.ts";

/** More methods than this are left to the table. */
const MAXIMUM_PANELS = 16;
/** Places of the x axis in the table under the figure. */
const MAXIMUM_COLUMNS = 10;

/** What a figure of panels is made from. */
export interface PanelFigure {
  readonly id: string;
  readonly caption: string;
  readonly axes: PanelAxes;
  /** Id of the arm that is drawn behind the others, and what it is called. */
  readonly baseline: { readonly arm: string; readonly title: string };
  /** How the table says where a column is: `Epoch 3`. */
  readonly place: (x: number) => string;
  readonly write: (y: number) => string;
}

/** The panels as a figure with its numbers; nothing where there is no line. */
export function panelFigure(
  all: readonly (Panel & { readonly arm: string })[],
  { id, caption, axes, baseline, place, write }: PanelFigure,
): FigureBlock[] {
  const panels = all.filter(({ lines }) => lines.some(({ length }) => length > 0)).slice(0, MAXIMUM_PANELS);
  if (panels.length === 0) return [];
  const behind = panels.length > 1 ? panels.find(({ arm }) => arm === baseline.arm) ?? null : null;
  const title = `${caption}. Bold: mean over seeds; thin: single seeds` +
    (behind === null ? "" : `; dashed grey: ${baseline.title}`);
  const means = panels.map(({ lines }) => meanLine(lines));
  const last = panels.map(({ label }, index) => `${label} ${write(means[index]!.at(-1)!.y)}`);
  const description = `Means at the right end: ${last.join("; ")}. More are in the table below.`;
  return [{
    kind: "figure",
    id,
    caption: title,
    svg: panelDrawing(panels, { axes, baseline: behind, text: { id, title, description } }),
    data: {
      columns: [
        { title: "Method", align: "left", names: true },
        ...spread(longest(means).length, MAXIMUM_COLUMNS).map((number) => ({
          title: place(longest(means)[number - 1]!.x),
          align: "right" as const,
        })),
      ],
      rows: panels.map(({ label }, index) => [
        label,
        ...spread(longest(means).length, MAXIMUM_COLUMNS).map((number) => {
          const point = means[index]![number - 1];
          return point === undefined ? "" : write(point.y);
        }),
      ]),
    },
  }];
}

function longest<T>(lists: readonly (readonly T[])[]): readonly T[] {
  return lists.reduce((a, b) => b.length > a.length ? b : a, []);
}

/** Up to `count` of 1 .. `last`, evenly spread, the last always among them. */
export function spread(last: number, count: number): number[] {
  const step = Math.ceil(last / count);
  return Array.from({ length: Math.ceil(last / step) }, (_, index) => last - index * step).reverse();
}
