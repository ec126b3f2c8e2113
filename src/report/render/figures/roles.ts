/** Marks of the kinds of method: a colour and a shape each, and what they mean. */
import * as Plot from "@observablehq/plot";
import type { Role } from "../../pages/blocks.ts";
import { COLOURS, lettersIn, TEXT } from "./drawing.ts";

interface RoleMark {
  readonly title: string;
  readonly colour: string;
  readonly symbol: Plot.SymbolType;
}

/** In the order of the legend. */
const ROLES: Readonly<Record<Role, RoleMark>> = {
  method: { title: "paper's method", colour: COLOURS.ours, symbol: "circle" },
  rebuilt: { title: "reconstruction or stand-in", colour: "var(--rebuilt)", symbol: "triangle" },
  control: { title: "control", colour: "var(--control)", symbol: "cross" },
  baseline: { title: "baseline", colour: "var(--baseline)", symbol: "square" },
};

const PUBLISHED = { title: "published", colour: COLOURS.published } as const;
const LINE_HEIGHT = 20;
const SIZE = 4.5;

export function roleColour(role: Role): string {
  return ROLES[role].colour;
}

/** Dots of rows, in the colour and shape of their role; one mark a role. */
export function roleDots<T extends { readonly role: Role }>(
  rows: readonly T[],
  places: Plot.DotOptions,
): Plot.Markish[] {
  return rolesOf(rows).map((role) => {
    const { symbol, colour } = ROLES[role];
    return Plot.dot(rows.filter((row) => row.role === role), { ...places, symbol, fill: colour, r: SIZE });
  });
}

/** An open diamond for what a paper printed. */
export function publishedDots<T>(rows: readonly T[], places: Plot.DotOptions): Plot.Markish {
  return Plot.dot([...rows], { ...places, symbol: "diamond", stroke: PUBLISHED.colour, strokeWidth: 2, r: 5 });
}

/** A legend above the frame of a plot, and the height that it takes there. */
export interface Legend {
  readonly height: number;
  readonly marks: readonly Plot.Markish[];
}

/**
 * Explains the roles that are there.
 *
 * @param place Distances from the frame: of the legend's left end, and of its lower one; `width` of all.
 */
export function roleLegend(
  rows: readonly { readonly role: Role }[],
  { left, bottom, width, published = false }: {
    readonly left: number;
    readonly bottom: number;
    readonly width: number;
    readonly published?: boolean;
  },
): Legend {
  const roles = rolesOf(rows);
  const items = [...roles.map((role) => ROLES[role]), ...(published ? [PUBLISHED] : [])];
  const lines: { item: typeof items[number]; x: number }[][] = [[]];
  let x = 0;
  for (const item of items) {
    const length = 30 + item.title.length * width / lettersIn(width);
    if (x > 0 && x + length > width) {
      lines.push([]);
      x = 0;
    }
    lines.at(-1)!.push({ item, x });
    x += length;
  }
  const height = lines.length * LINE_HEIGHT;
  const marks = lines.flatMap((line, index) =>
    line.flatMap(({ item, x }) => {
      const place = { frameAnchor: "top-left", dy: index * LINE_HEIGHT - height - bottom + LINE_HEIGHT / 2 } as const;
      const dx = left + x + SIZE;
      return [
        "symbol" in item
          ? Plot.dot([item], { ...place, dx, symbol: item.symbol, fill: item.colour, r: SIZE })
          : publishedDots([item], { ...place, dx }),
        Plot.text([item.title], {
          ...place,
          ...TEXT,
          dx: dx + 11,
          text: (title: string) => title,
          textAnchor: "start",
          lineAnchor: "middle",
        }),
      ];
    })
  );
  return { height, marks };
}

function rolesOf(rows: readonly { readonly role: Role }[]): Role[] {
  return (Object.keys(ROLES) as Role[]).filter((role) => rows.some((row) => row.role === role));
}
