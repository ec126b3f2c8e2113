/** Observable Plot without a browser: marks in, the text of an `<svg>` out. */
import * as Plot from "@observablehq/plot";
import { mean, quantileSorted } from "d3-array";
import { parseHTML } from "linkedom";

/** Wide enough for a phone held upright, so that the text stays readable there. */
export const FIGURE_WIDTH = 400;
export const FONT_SIZE = 13;
/** Distance of two lines of a wrapped text, in pixels. */
export const LINE_HEIGHT = 15;

/** Colours are names of the style sheet: one drawing serves light and dark. */
export const COLOURS = { ours: "var(--ours)", published: "var(--published)", reference: "var(--reference)" } as const;

/** Text on a halo of the page's colour, as it may lie on lines. */
export const TEXT = { fill: "currentColor", stroke: "var(--page)", strokeWidth: 4 } as const;

/** Name of a drawing, for readers who cannot see it. */
export interface DrawingText {
  /** Unique on the page: names the title and the description. */
  readonly id: string;
  readonly title: string;
  readonly description: string;
}

/** The used part of a drawn element: Deno's types have no DOM. */
interface DrawnElement {
  readonly outerHTML: string;
  querySelector(selector: string): { remove(): void } | null;
}

/** Attributes in pixels. */
const PLACES = /^(d|transform|[xyr][12]?|c[xy]|width|height)$/;

/**
 * Draws a plot. The same input gives the same bytes: places have 1 decimal, other numbers 2; only clips must be named (`named`).
 *
 * @param options Of Plot; document, font and class are set here.
 */
export function plotted(options: Plot.PlotOptions): string {
  const { document } = parseHTML("<!doctype html><html><body></body></html>") as unknown as Plot.PlotOptions;
  const plot: DrawnElement = Plot.plot({
    width: FIGURE_WIDTH,
    ...options,
    document,
    className: "plot",
    style: { fontSize: `${FONT_SIZE}px` },
  });
  plot.querySelector("style")?.remove(); // of Plot's own: the site's style sheet has what is needed of it
  // the drawing is one image with one name: labels of its parts are for no one
  const bare = plot.outerHTML.replace(/ aria-\w+="[^"]*"/g, "");
  return bare.replace(/ ([\w-]+)="([^"]*\d\.\d{2,}[^"]*)"/g, (_, name: string, value: string) => {
    const scale = PLACES.test(name) && !value.endsWith("em") ? 10 : 100;
    return ` ${name}="${value.replace(/\d+\.\d+/g, (number) => String(Math.round(Number(number) * scale) / scale))}"`;
  });
}

/** Draws a plot as one image with a title and a description. */
export function drawing(options: Plot.PlotOptions, text: DrawingText): string {
  return named(plotted(options), text);
}

/** An `<svg>` as one image with a title and a description; its clips are named after it, as a page has many drawings. */
export function named(svg: string, { id, title, description }: DrawingText): string {
  const clips = [...new Set(svg.match(/plot-clip-\d+/g))];
  return svg.replace(/plot-clip-\d+/g, (clip) => `${id}-clip-${clips.indexOf(clip) + 1}`).replace(
    /^<svg ([^>]*)>/,
    (_, attributes: string) =>
      `<svg role="img" aria-labelledby="${id}-title ${id}-text" ${attributes}>` +
      `<title id="${id}-title">${escaped(title)}</title><desc id="${id}-text">${escaped(description)}</desc>`,
  );
}

/** Text in lines of at most so many letters, broken between words. */
export function wrapped(text: string, letters: number): string[] {
  return text.replaceAll(" = ", "\u00a0=\u00a0").split(" ").reduce<string[]>((lines, word) => {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > letters) return [...lines, word];
    return [...lines.slice(0, -1), `${last} ${word}`];
  }, []);
}

/** Letters of the drawings' font that surely fit into a width. */
export function lettersIn(width: number): number {
  return Math.floor(width / (0.55 * FONT_SIZE));
}

/** Bold letters are wider. */
export const BOLD = 1.12;

/**
 * Moves the middles of labels apart so that none overlap, as little as that takes by least squares: a fit that may only
 * rise, of the places less the room that the labels before them need, by pooling neighbours that would overlap.
 *
 * @param heights Of the labels, gaps included.
 */
export function apart(middles: readonly number[], heights: readonly number[], most: number): number[] {
  const order = middles.map((_, index) => index).sort((a, b) => middles[a]! - middles[b]!);
  const pools: { shift: number; members: number[] }[] = [], offsets: number[] = [];
  let room = 0;
  for (const index of order) {
    offsets[index] = room + heights[index]! / 2;
    room += heights[index]!;
    pools.push({ shift: middles[index]! - offsets[index]!, members: [index] });
    for (let last = pools.at(-1)!, before = pools.at(-2); before && before.shift > last.shift; before = pools.at(-2)) {
      const members = [...before.members, ...last.members];
      last = { members, shift: mean(members, (member) => middles[member]! - offsets[member]!)! };
      pools.splice(-2, 2, last);
    }
  }
  const moved = [...middles];
  for (const { shift, members } of pools) {
    for (const member of members) {
      moved[member] = Math.min(Math.max(shift, 0), Math.max(0, most - room)) + offsets[member]!;
    }
  }
  return moved;
}

/** Fences of Tukey: beyond them, 1.5 times the middle half's width outside of it, one row would squeeze the others. */
const FENCE = 1.5;

/** Fewer values have no outliers; nor have others, if all of them take less than so many times the room of the usual. */
const LEAST_VALUES = 20;
const LEAST_SQUEEZE = 1.5;

/** The range of the values, without outliers where these would squeeze the others, with a margin. */
export function usualRange(values: readonly number[]): [number, number] {
  const sorted = values.toSorted((a, b) => a - b);
  const [lower, upper] = [quantileSorted(sorted, 0.25)!, quantileSorted(sorted, 0.75)!];
  const fence = FENCE * (upper - lower);
  const usual = sorted.filter((value) => value >= lower - fence && value <= upper + fence);
  const width = (list: readonly number[]) => list.at(-1)! - list[0]!;
  const isCut = values.length >= LEAST_VALUES && width(sorted) > LEAST_SQUEEZE * width(usual);
  return widened(isCut ? usual : sorted);
}

/** The range of the values, with a margin. */
export function widened(values: readonly number[]): [number, number] {
  const least = Math.min(...values), most = Math.max(...values), margin = 0.06 * (most - least) || 1;
  return [least - margin, most + margin];
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** Text as it stands in HTML and SVG, in elements and in attributes. */
export function escaped(text: string): string {
  // most texts have nothing to escape, and there are a million of them in a large site
  return /[&<>"]/.test(text) ? text.replace(/[&<>"]/g, (character) => ENTITIES[character]!) : text;
}
