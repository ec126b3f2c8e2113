/** Observable Plot without a browser: marks in, the text of an `<svg>` out. */
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";

/** Wide enough for a phone held upright, so that the text stays readable there. */
export const FIGURE_WIDTH = 460;

/** Colours are names of the style sheet: one drawing serves light and dark. */
export const COLOURS = { ours: "var(--ours)", published: "var(--published)", reference: "var(--reference)" } as const;

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

/**
 * Draws a plot. The same input gives the same bytes: ids are the caller's, numbers have at most 2 decimals.
 *
 * @param options Of Plot; document, width, font and class are set here.
 */
export function drawing(options: Plot.PlotOptions, text: DrawingText): string {
  const { document } = parseHTML("<!doctype html><html><body></body></html>") as unknown as Plot.PlotOptions;
  const plot: DrawnElement = Plot.plot({
    ...options,
    document,
    className: "plot",
    width: FIGURE_WIDTH,
    style: { fontSize: "13px" },
  });
  plot.querySelector("style")?.remove(); // of Plot's own: the site's style sheet has what is needed of it
  // the drawing is one image with one name: labels of its parts are for no one
  const bare = plot.outerHTML.replace(/ aria-\w+="[^"]*"/g, "");
  const rounded = (number: string) => String(Math.round(Number(number) * 100) / 100);
  return named(bare.replace(/\d+\.\d{3,}/g, rounded), text);
}

/** An `<svg>` as one image with a title and a description. */
export function named(svg: string, { id, title, description }: DrawingText): string {
  return svg.replace(
    /^<svg ([^>]*)>/,
    (_, attributes: string) =>
      `<svg role="img" aria-labelledby="${id}-title ${id}-text" ${attributes}>` +
      `<title id="${id}-title">${escaped(title)}</title><desc id="${id}-text">${escaped(description)}</desc>`,
  );
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** Text as it stands in HTML and SVG, in elements and in attributes. */
export function escaped(text: string): string {
  // most texts have nothing to escape, and there are a million of them in a large site
  return /[&<>"]/.test(text) ? text.replace(/[&<>"]/g, (character) => ENTITIES[character]!) : text;
}
