import type { Block } from "../../pages/blocks.ts";
import { anchor, blockHtml } from "./block_html.ts";
import { escaped } from "../escape.ts";

/** A link of the site's navigation; `href` is relative to the root of the site. */
export interface SiteLink {
  readonly href: string;
  readonly title: string;
}

/** What is around a page's blocks. */
export interface Frame {
  readonly title: string;
  readonly links: readonly SiteLink[];
  /** Which of the links this page is, or belongs to. */
  readonly current: string;
  /** From the page to the site's root: empty, or `../`. */
  readonly root: "" | "../";
}

/**
 * A page of the site: nothing is fetched from elsewhere, one style sheet and one script lie beside it, and without the
 * script only sorting and filtering are missing.
 */
export function framed(body: string, { title, links, current, root }: Frame): string {
  const navigation = links.map(({ href, title }) =>
    `<a href="${root}${escaped(href)}"${href === current ? ' aria-current="page"' : ""}>${escaped(title)}</a>`
  ).join("\n");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escaped(title)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${root}style.css">
<script src="${root}site.js" defer></script>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header><nav aria-label="Pages">
${navigation}
</nav></header>
<main id="content" tabindex="-1">
${body}
</main>
</body>
</html>
`;
}

/** From this many sections on, a page has a list of them. */
const CONTENTS_FROM = 4;

/** Links to the sections; none where there are few. */
function contents(blocks: readonly Block[]): string[] {
  const titles = blocks.flatMap((part) => part.kind === "heading" && part.level === 2 ? [part.text] : []);
  if (titles.length < CONTENTS_FROM) return [];
  const items = titles.map((title) => `<li><a href="#${anchor(title)}">${escaped(title)}</a></li>`);
  return [`<nav aria-label="On this page" class="contents"><ul>\n${items.join("\n")}\n</ul></nav>`];
}

/** Blocks as a page of the site; figures that follow each other stand side by side where there is room. */
export function pageHtml(blocks: readonly Block[], frame: Frame): string {
  const list = contents(blocks);
  const parts = blocks.flatMap((part, index) => {
    const html = blockHtml(part, frame.root);
    if (part.kind === "heading" && part.level === 1) return [html, ...list];
    if (part.kind !== "figure") return html;
    const opening = blocks[index - 1]?.kind === "figure" ? "" : '<div class="figures">\n';
    return opening + html + (blocks[index + 1]?.kind === "figure" ? "" : "\n</div>");
  });
  return framed(parts.join("\n"), frame);
}
