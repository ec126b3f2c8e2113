import assert from "node:assert/strict";
import { parseHTML } from "linkedom";
import type { Block } from "../../../src/report/pages/blocks.ts";
import { toMarkdown } from "../../../src/report/render/markdown.ts";
import fc from "../../support/npm/fast_check.ts";
import { gfm, gfmHtml, micromark } from "../../support/npm/micromark.ts";

/** Titles that Markdown would take for markup, or for more than one line. */
const HOSTILE = [
  "a | b || c\\|d",
  "[x](https://evil.example) [y][z] [^1] [ ] [x]",
  "![pixel](p.png) ! [a]",
  "[x]: https://evil.example",
  "one\rtwo\u2028three\u2029four\n\n# five\u0085six",
  "# not a heading #",
  "https://evil.example www.evil.example a@evil.example",
  "- - 1. + > no list",
  "1. one",
  "12) twelve",
  "> quote",
  "---",
  "===",
  "- [ ] task",
  "[ ] task",
  "*bold* _slanted_ __strong__ snake_case `code` ~~gone~~ \\* &amp; <b>x</b> <!-- y -->",
];

/** The text as a reader should see it: on one line. */
function shown(text: string): string {
  return text.trim().replace(/\s*[\n\r\v\f\u0085\u2028\u2029]\s*/g, " ");
}

// deno-lint-ignore no-explicit-any
function parsed(blocks: readonly Block[]): any {
  const html = micromark(toMarkdown(blocks), { extensions: [gfm()], htmlExtensions: [gfmHtml()] });
  return (parseHTML(`<html><body>${html}</body></html>`) as unknown as { document: unknown }).document;
}

/** Blocks with one text in every place. */
function everywhere(text: string): Block[] {
  return [
    { kind: "heading", level: 2, text },
    { kind: "paragraph", text },
    { kind: "banner", text },
    { kind: "list", items: [text, text] },
    { kind: "links", items: [{ text, href: "data/a (1).csv" }] },
    {
      kind: "table",
      caption: text,
      columns: [{ title: text, align: "left" }, { title: text, align: "right" }],
      rows: [[text, { text, verdict: "not_run" }], [text, text]],
    },
  ];
}

function assertText(text: string): void {
  const document = parsed(everywhere(text)), wanted = shown(text);
  const texts = (selector: string) =>
    // deno-lint-ignore no-explicit-any
    [...document.querySelectorAll(selector)].map((element: any) => element.textContent.trim());
  assert.deepEqual(texts("h1, h2, h3, h4, h5, h6"), [wanted]);
  assert.deepEqual(texts("body > p"), [wanted, wanted], "paragraph and caption");
  assert.deepEqual(texts("blockquote"), [wanted]);
  assert.deepEqual(texts("li"), [wanted, wanted, wanted]);
  assert.deepEqual(texts("a"), [wanted], "the only link is ours");
  assert.equal(document.querySelector("a").getAttribute("href"), "site/data/a%20%281%29.csv");
  assert.deepEqual(texts("th"), [wanted, wanted]);
  assert.deepEqual(texts("td"), [wanted, wanted, wanted, wanted]);
  assert.deepEqual(texts("img, em, del, code, b, input, hr, ol, li ul"), []);
}

for (const text of HOSTILE) {
  Deno.test(`toMarkdown() shows as text, in every place: ${JSON.stringify(text)}`, () => assertText(text));
}

Deno.test("toMarkdown() shows any mixture of markup as text", () => {
  const character = fc.constantFrom(...'|[]()!*_`~<>&#-+=:^\\ a1.\n\r\u2028"');
  const text = fc.array(character, { minLength: 1, maxLength: 12 }).map((all) => all.join(""))
    .filter((text) => text.trim() !== "");
  fc.assert(fc.property(text, assertText), { numRuns: 300, seed: 17 });
});

Deno.test("toMarkdown() leaves what is no markup as it is", () => {
  const text = "+0.50 [-0.10, +1.10] (2 seeds): 5 - 3 > 1, R&D, a_b, n = 3!";
  assert.equal(toMarkdown([{ kind: "paragraph", text }]), `${text}\n`);
});
