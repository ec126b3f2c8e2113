/** The site in a real browser: Debian's chromium, driven by playwright-core. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ARTIFACTS, browserTest, DESK, PHONE } from "../../support/browser.ts";
import type { Browser, BrowserContext, Page } from "../../support/npm/playwright_core.ts";
import { RECORDS } from "../fixtures.ts";
import { BROKEN, renderedSite, writeSite } from "../sites.ts";
import { seriousViolations } from "./axe.ts";

/** One of each kind of page. */
const KINDS = [
  "index.html",
  "demo.html",
  "demo_smoke.html",
  "demo_figures_paper_t1.html",
  "claims.html",
  "findings.html",
  "runs/index.html",
  `runs/${RECORDS[0]!.id}.html`,
  `runs/${BROKEN.id}.html`,
];
// a function of the page, which knows the DOM that these types do not
// deno-lint-ignore no-explicit-any
const OVERFLOW = (node: any) => (globalThis as any).getComputedStyle(node).overflowX as string;

interface Opened {
  /** Opens a page of the site in a context of its own. */
  readonly open: (
    path: string,
    options?: { scheme?: "light" | "dark"; size?: typeof PHONE; script?: boolean },
  ) => Promise<Page>;
  readonly urlOf: (path: string) => string;
}

const CASES: { name: string; body: (opened: Opened) => Promise<void> }[] = [];

/** A step of the one test below: a browser takes seconds to start. */
function browserStep(name: string, body: (opened: Opened) => Promise<void>): void {
  CASES.push({ name, body });
}

function rowNames(page: Page, caption: string): Promise<string[]> {
  return page.locator("table", { hasText: caption }).first().locator("tbody tr:visible th").allTextContents();
}

browserStep("a reader goes from the overview to a paper, a run, its teacher and back to all runs", async ({ open }) => {
  const page = await open("index.html");
  await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Demo" }).click();
  assert.equal(await page.locator("h1").textContent(), "Demo: an invented paper");
  const run = RECORDS.find(({ spec }) => spec.teacher !== null)!;
  await page.getByRole("heading", { name: "Protocol paper" }).click();
  await page.getByText("All runs of these tables").first().click();
  await page.getByRole("link", { name: run.id }).first().click();
  assert.match(await page.title(), new RegExp(run.id));
  await page.getByRole("link", { name: run.spec.teacher! }).click();
  assert.match((await page.locator("h1").textContent())!, /^Full precision, ResNet-18, FP, seed/);
  await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Runs" }).click();
  assert.equal(await page.locator("h1").textContent(), "Runs");
});

browserStep("a table sorts by number and by word, in both directions, with empty cells last", async ({ open }) => {
  const page = await open("runs/index.html");
  const table = page.locator("table").first();
  const column = async (index: number) =>
    (await table.locator(`tbody tr > :nth-child(${index})`).allTextContents()).filter((text) => text !== "");
  const sortedBy = async (name: string) => {
    await table.getByRole("button", { name }).click();
    return await table.getByRole("columnheader", { name }).getAttribute("aria-sort");
  };
  assert.equal(await sortedBy("Top-1"), "ascending");
  const ascending = (await column(10)).map(Number);
  assert.deepEqual(ascending, ascending.toSorted((a, b) => a - b));
  assert.equal(await table.locator("tbody tr").last().locator("td").nth(8).textContent(), "", "a run without result");
  assert.equal(await sortedBy("Top-1"), "descending");
  assert.deepEqual((await column(10)).map(Number), ascending.toReversed());
  assert.equal(await table.locator("tbody tr").last().locator("td").nth(8).textContent(), "", "last here too");
  await sortedBy("Method");
  const methods = await column(4);
  assert.deepEqual(methods, methods.toSorted((a, b) => a.toLowerCase().localeCompare(b.toLowerCase(), "en")));
  assert.equal(await table.locator("th[aria-sort]").count(), 1);
});

browserStep("a filter shows the rows that have all its words and says how many", async ({ open }) => {
  const page = await open("runs/index.html");
  const all = await rowNames(page, "All runs");
  await page.getByLabel("Filter rows").fill("good REDUCED");
  const shown = await rowNames(page, "All runs");
  const wanted = RECORDS.filter(({ spec }) => spec.arm === "good" && spec.protocol === "reduced").map(({ id }) => id);
  assert.deepEqual(shown, wanted);
  assert.equal(await page.getByRole("status").textContent(), `${wanted.length} of ${all.length} rows`);
  await page.getByLabel("Filter rows").fill("");
  assert.deepEqual(await rowNames(page, "All runs"), all);
});

browserStep("without script the tables are whole, and no control is there that does nothing", async ({ open }) => {
  const page = await open("runs/index.html", { script: false });
  assert.equal(await page.locator("table").first().locator("tbody tr").count(), RECORDS.length + 1);
  assert.equal(await page.locator("button, input").count(), 0);
});

browserStep("figures are drawn, with a name and their numbers one press away", async ({ open }) => {
  const page = await open("demo_figures_paper_t1.html");
  const figures = page.locator("figure");
  assert.ok(await figures.count() >= 5);
  for (const figure of await figures.all()) {
    const box = await figure.getByRole("img").boundingBox();
    assert.ok(box !== null && box.width > 300 && box.height > 100, JSON.stringify(box));
  }
  const table = figures.first().locator("table");
  assert.equal(await table.isVisible(), false);
  await figures.first().getByText("Numbers of this figure").click();
  assert.equal(await table.isVisible(), true);
});

browserStep("a paper's first screen has its claims, published against ours, and the plot", async ({ open }) => {
  const page = await open("other.html");
  for (const part of ["1 claim: 1 reproduced.", "Cells, published against ours"]) {
    const box = await page.getByText(part).first().boundingBox();
    assert.ok(box !== null && box.y < DESK.height, `${part}: ${JSON.stringify(box)}`);
  }
  const plot = await page.locator("figure").first().boundingBox();
  assert.ok(plot !== null && plot.y < DESK.height, JSON.stringify(plot));
  assert.equal(await page.getByText("Silence is consent").isVisible(), false, "the rest is folded");
  await page.getByText("Assumptions, where").click();
  assert.equal(await page.getByText("Silence is consent").isVisible(), true);
});

browserStep("no page is wider than its screen, on a phone and on a desk", async ({ open, urlOf }) => {
  const page = await open("index.html");
  for (const kind of KINDS) {
    await page.goto(urlOf(kind));
    for (const [name, size] of Object.entries({ phone: PHONE, desk: DESK })) {
      await page.setViewportSize(size);
      const width = await page.evaluate("document.documentElement.scrollWidth");
      assert.equal(width, size.width, `${kind} on a ${name}`);
      for (const scheme of ARTIFACTS === undefined ? [] : ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme: scheme });
        const file = `${kind.replace("/", "_").replace(".html", "")}_${name}_${scheme}.png`;
        await page.screenshot({ path: join(ARTIFACTS!, file), fullPage: true });
      }
    }
  }
});

browserStep("axe finds nothing serious on any kind of page, in light and dark", async ({ open, urlOf }) => {
  const page = await open("index.html");
  for (const kind of KINDS) {
    await page.goto(urlOf(kind));
    assert.deepEqual(await seriousViolations(page), []);
  }
});

browserStep("print leaves out controls and shows the whole of a wide table", async ({ open }) => {
  const page = await open("demo.html");
  await page.emulateMedia({ media: "print" });
  assert.equal(await page.locator("header").isVisible(), false);
  assert.equal(await page.locator(".filter").first().isVisible(), false);
  assert.equal(await page.getByText("Silence is consent").isVisible(), true, "folded sections are printed");
  assert.equal(await page.locator(".scroll").first().evaluate(OVERFLOW), "visible");
  if (ARTIFACTS !== undefined) await page.pdf({ path: join(ARTIFACTS, "demo_print.pdf"), format: "A4" });
});

browserTest("the site works in a browser", async (test, browser) => {
  const folder = Deno.makeTempDirSync();
  try {
    writeSite(renderedSite(), folder);
    for (const { name, body } of CASES) await test.step(name, () => watched(browser, { folder, body }));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

/** Console errors, failed requests and requests to anywhere else are faults of every step. */
async function watched(
  browser: Browser,
  { folder, body }: { folder: string; body: (opened: Opened) => Promise<void> },
) {
  const faults: string[] = [];
  const contexts: BrowserContext[] = [];
  const urlOf = (path: string) => pathToFileURL(join(folder, path)).href;
  await body({
    urlOf,
    open: async (path, { scheme = "light", size = DESK, script = true } = {}) => {
      const context = await browser.newContext({ viewport: size, colorScheme: scheme, javaScriptEnabled: script });
      contexts.push(context);
      const page = await context.newPage();
      page.on("console", (message) => {
        if (message.type() === "error") faults.push(`${path}: ${message.text()}`);
      });
      page.on("pageerror", (error) => void faults.push(`${path}: ${error.message}`));
      page.on("requestfailed", (request) => void faults.push(`${path}: ${request.url()} failed`));
      page.on("request", (request) => {
        if (!/^(file|data):/.test(request.url())) faults.push(`${path}: asks for ${request.url()}`);
      });
      await page.goto(urlOf(path));
      return page;
    },
  });
  for (const context of contexts) await context.close();
  assert.deepEqual(faults, []);
}
