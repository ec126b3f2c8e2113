/** Every figure of the committed records in a real browser: readable on a phone and on a desk, in light and dark. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ARTIFACTS, browserTest, DESK, PHONE } from "../../support/browser.ts";
import type { Locator, Page } from "../../support/npm/playwright_core.ts";
import { committedSite } from "../committed_site.ts";
import { seriousViolations } from "./axe.ts";

/** One page of each kind that has figures. */
const PAGES = [
  "index.html",
  "core.html",
  "fpq.html",
  "cr_figures_reduced_cr_base.html",
  "fpq_figures_reduced_fpq_parts.html",
  "fpq_level_span.html",
  "cr_feature_coding.html",
  "cr_output_variance.html",
];
const LEAST_FONT_PIXELS = 9.5;
/** Pixels by which boxes of text may meet: a box is higher than its letters. */
const SLACK = 4;

interface Box {
  readonly text: string;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
  readonly fontPixels: number;
}

/** Measures the texts of a drawing and the drawing: a function of the page, which knows the DOM. */
const BOXES = `(figure) => {
  const svg = [...figure.querySelectorAll(".drawing > svg")].find((svg) => svg.getBoundingClientRect().width > 0);
  const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
  const boxOf = (node) => {
    const { left, right, top, bottom } = node.getBoundingClientRect();
    const fontPixels = scale * parseFloat(getComputedStyle(node).fontSize);
    return { text: node.textContent, left, right, top, bottom, fontPixels };
  };
  return { svg: boxOf(svg), texts: [...svg.querySelectorAll("text")].map(boxOf) };
}`;

/** Lists texts that are cut, too small, or on another text. */
async function faultsOf(figure: Locator): Promise<string[]> {
  const id = JSON.stringify(await figure.getAttribute("id"));
  const boxes = await figure.page().evaluate(`(${BOXES})(document.getElementById(${id}))`);
  const { svg, texts } = boxes as { readonly svg: Box; readonly texts: readonly Box[] };
  const meet = (a: Box, b: Box) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > SLACK;
  return texts.flatMap((box, index) => [
    ...(box.left < svg.left - 1 || box.right > svg.right + 1 || box.top < svg.top - 1 || box.bottom > svg.bottom + 1
      ? [`cut: ${box.text}`]
      : []),
    ...(box.fontPixels < LEAST_FONT_PIXELS ? [`small: ${box.text}, ${box.fontPixels} px`] : []),
    ...texts.slice(index + 1).filter((other) => meet(box, other)).map((other) => `${box.text} on ${other.text}`),
  ]);
}

async function keep(figure: Locator, page: Page, name: string): Promise<void> {
  for (const scheme of ARTIFACTS === undefined ? [] : ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme: scheme });
    await figure.screenshot({ path: join(ARTIFACTS!, `figure_${name}_${scheme}.png`) });
  }
}

browserTest("the figures of the committed records are readable in a browser", async (test, browser) => {
  const folder = Deno.makeTempDirSync(), site = await committedSite();
  const urlOf = (path: string) => pathToFileURL(join(folder, path)).href;
  try {
    Deno.mkdirSync(join(folder, "runs"));
    for (const path of [...PAGES, "runs/index.html", "style.css", "site.js"]) {
      Deno.writeTextFileSync(join(folder, path), site.get(path)!.text);
    }
    const page = await (await browser.newContext()).newPage();
    for (const path of PAGES) {
      await test.step(`${path}: no text is cut, small or on another`, async () => {
        await page.goto(urlOf(path));
        await page.evaluate("for (const part of document.querySelectorAll('.fold')) part.open = true");
        const figures = await page.locator("figure").all(), faults: string[] = [];
        for (const [device, size] of Object.entries({ phone: PHONE, desk: DESK })) {
          await page.setViewportSize(size);
          for (const figure of figures) {
            const name = `${path.replace(".html", "")}_${await figure.getAttribute("id")}_${device}`;
            faults.push(...(await faultsOf(figure)).map((fault) => `${name}: ${fault}`));
            await keep(figure, page, name);
          }
        }
        assert.ok(figures.length > 0);
        assert.deepEqual(faults, []);
      });
    }
    for (const path of ["index.html", "fpq.html", "runs/index.html"]) {
      await test.step(`${path}: axe finds nothing serious in light and dark`, async () => {
        await page.goto(urlOf(path));
        if (path === "index.html") assert.equal(await page.locator(".answer p").count() > 0, true, "the answer box");
        assert.deepEqual(await seriousViolations(page), []);
      });
    }
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
