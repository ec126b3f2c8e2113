import assert from "node:assert/strict";
import { posix } from "node:path";
import { parseHTML } from "linkedom";
import { record, RECORDS, runs } from "../fixtures.ts";
import { BROKEN, renderedSite } from "../sites.ts";

const SITE = renderedSite();
const PAGES = [...SITE].filter(([path]) => path.endsWith(".html"));

/** A parsed page; linkedom's document has no types of its own here. */
// deno-lint-ignore no-explicit-any
function parsed(html: string): any {
  return (parseHTML(html) as unknown as { document: unknown }).document;
}

function pageOf(path: string): string {
  const html = SITE.get(path);
  assert.ok(html, `the site has ${path}`);
  return html;
}

Deno.test("every link of the site leads to a file of the site, and nothing is fetched from elsewhere", () => {
  let links = 0;
  for (const [path, html] of PAGES) {
    assert.doesNotMatch(html, /https?:|<img|<iframe|@import|url\(/, path);
    for (const [, target] of html.matchAll(/(?:href|src)="([^"#]+)(?:#[^"]*)?"/g)) {
      if (target === "data:,") continue; // the empty icon
      links++;
      assert.ok(SITE.has(posix.join(posix.dirname(path), target!)), `${path} links to ${target}`);
    }
  }
  assert.ok(links > 10 * PAGES.length);
  assert.doesNotMatch(SITE.get("style.css")! + SITE.get("site.js")!, /https?:|@import|url\(|fetch|import\(/);
});

Deno.test("a long page lists its sections, and every link within a page leads to a place in it", () => {
  let links = 0;
  for (const [path, html] of PAGES) {
    const ids = new Set([...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id));
    for (const [, target] of html.matchAll(/href="#([^"]+)"/g)) {
      links++;
      assert.ok(ids.has(target!), `${path} links to #${target}`);
    }
  }
  assert.ok(links > 2 * PAGES.length);
  const titles = pageOf("demo.html").match(/<h2 /g)!.length;
  assert.equal(parsed(pageOf("demo.html")).querySelectorAll("nav.contents a").length, titles);
});

Deno.test("every run has a page that its paper's page and the list of runs link to", () => {
  const list = pageOf("runs/index.html"), paper = pageOf("demo.html");
  for (const { id, spec } of [...RECORDS, BROKEN]) {
    assert.ok(SITE.has(`runs/${id}.html`));
    assert.ok(list.includes(`href="../runs/${id}.html"`), id);
    if (spec.dataset.evaluateOn === "test") assert.ok(paper.includes(`href="runs/${id}.html"`), id);
  }
});

Deno.test("every page has one first heading, names, scopes, captions and unique ids", () => {
  for (const [path, html] of PAGES) {
    const document = parsed(html);
    const count = (selector: string) => document.querySelectorAll(selector).length;
    assert.equal(count("h1"), 1, path);
    assert.equal(count('nav [aria-current="page"]'), 1, path);
    assert.equal(count("table"), count("table > caption"), path);
    assert.equal(count("th:not([scope])"), 0, path);
    const ids = [...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    assert.deepEqual(ids, [...new Set(ids)], path);
  }
});

Deno.test("every figure has a title, a description and a table of its numbers, and no colour but the style's", () => {
  let figures = 0;
  for (const [path, html] of PAGES) {
    for (const figure of parsed(html).querySelectorAll("figure")) {
      figures++;
      const svg = figure.querySelector("svg");
      const [title, text] = svg.getAttribute("aria-labelledby").split(" ");
      assert.ok(svg.querySelector(`title[id="${title}"]`).textContent.length > 20, path);
      assert.match(svg.querySelector(`desc[id="${text}"]`).textContent, /\d/, path);
      assert.ok(figure.querySelectorAll("details tbody tr").length > 0, path);
      const colours = [...figure.outerHTML.matchAll(/(?:stroke|fill)="([^"]+)"/g)].map(([, colour]) => colour!);
      const foreign = colours.filter((colour) => !/^(none|currentColor|var\(--\w+\))$/.test(colour));
      assert.deepEqual(foreign, [], path);
    }
  }
  assert.ok(figures > RECORDS.length);
});

Deno.test("the interval figure says what its table says", () => {
  const figure = parsed(pageOf("demo.html")).querySelector("figure#paper-t1-difference");
  const rows = [...figure.querySelectorAll("tbody tr")].map((row) =>
    // deno-lint-ignore no-explicit-any
    [...row.children].map((cell: any) => cell.textContent)
  );
  const good = rows.find((row) => row[1] === "Good")!;
  assert.deepEqual([good[2], good[4]], ["+1.47", "+1.50"]);
  const label = figure.querySelector("desc").textContent;
  assert.match(label, /highest: Good on ResNet-18, W2A2, \+1\.47/);
  assert.equal(figure.querySelectorAll("svg circle").length, rows.length);
});

Deno.test("the claims page lists each paper's claims with verdict and evidence", () => {
  const document = parsed(pageOf("claims.html"));
  assert.match(document.querySelector("main").textContent, /Good beats LSQ at W2A2 on ResNet-18 by 1\.50/);
  assert.equal(document.querySelectorAll(".verdict.reproduced").length, 1);
});

Deno.test("learning curves show a panel a method and their last value", () => {
  const figure = parsed(pageOf("demo.html")).querySelector("figure#paper-t1-curves-2");
  assert.match(figure.querySelector("figcaption").textContent, /ResNet-18, W2A2.*dashed grey: our LSQ's mean/);
  assert.match(figure.querySelector("desc").textContent, /LSQ 88\.07; Good 89\.53; Bad 88\.12/);
  assert.equal(figure.querySelectorAll("tbody tr").length, 5);
});

Deno.test("a run's page tells its spec, environment, teacher, curve and papers", () => {
  const run = runs({ arm: "good" }, [89.4], [RECORDS[0]!])[0]!;
  const document = parsed(pageOf(`runs/${run.id}.html`));
  const fact = (name: string) =>
    [...document.querySelectorAll("tr")].find((row) => row.querySelector("th")?.textContent === name)?.querySelector(
      "td",
    );
  assert.equal(document.querySelector("h1").textContent, "Good, ResNet-18, W2A2, seed 0");
  assert.equal(fact("recipe.learningRate").textContent, "0.01");
  assert.equal(fact("method.options").textContent, "none");
  assert.equal(fact("commit").textContent, run.environment.commit);
  assert.equal(fact("teacher").querySelector("a").getAttribute("href"), `../runs/${RECORDS[0]!.id}.html`);
  assert.deepEqual(
    // deno-lint-ignore no-explicit-any
    [...document.querySelectorAll("p.links a")].map((link: any) => link.getAttribute("href")),
    ["../demo.html", "../other.html"],
  );
  assert.match(
    document.querySelector("figure desc").textContent,
    /After epoch 2: 89\.40 on test images, 60\.00 on training/,
  );
});

Deno.test("the page of a run that did not finish shows its reason and its log, as text", () => {
  const html = pageOf(`runs/${BROKEN.id}.html`);
  assert.match(html, /failed: out of memory/);
  assert.match(
    html,
    /<h2 id="last-lines-of-the-log">Last lines of the log<\/h2>\n<pre tabindex="0"><code>step 7\n&lt;out of&gt; memory &amp; gone</,
  );
  assert.doesNotMatch(pageOf(`runs/${RECORDS[0]!.id}.html`), /Last lines of the log/);
});

Deno.test("a run of a dirty checkout says so on its page", () => {
  const dirty = RECORDS.find(({ environment }) => environment.dirty)!;
  assert.match(pageOf(`runs/${dirty.id}.html`), /class="banner"><strong>The checkout had uncommitted changes/);
});

Deno.test("the overview shows each cell's verdict as a symbol with its words", () => {
  const document = parsed(pageOf("index.html"));
  const matrix = [...document.querySelectorAll("table")].find((table) =>
    table.querySelector("caption").textContent === "DEMO, Table 1: CIFAR-10, protocol paper"
  );
  const row = [...matrix.querySelectorAll("tbody tr")].find((row) =>
    row.querySelector("th").textContent === "ResNet-18, W2A2"
  );
  // deno-lint-ignore no-explicit-any
  const texts = (cells: any) => [...cells].map((cell) => cell.textContent);
  const verdicts = texts(row.querySelectorAll("td")), arms = texts(matrix.querySelectorAll("thead th")).slice(1);
  const of = (arm: string) => verdicts[arms.indexOf(arm)];
  assert.deepEqual(["LSQ", "Good", "Bad", "Wide", "Torn", "Copy (stand-in)", "Full precision"].map(of), [
    "≁not comparable",
    "✓reproduced",
    "✗not reproduced",
    "?inconclusive",
    "·not run",
    "≁not comparable",
    "",
  ]);
});

Deno.test("the site is the same bytes for the same records in any order", () => {
  assert.deepEqual(renderedSite([...RECORDS, BROKEN].reverse()), SITE);
});

Deno.test("a run's page of 200 epochs stays small", () => {
  const long = record({ seed: 77, epochs: 200 });
  const page = renderedSite([long]).get(`runs/${long.id}.html`)!;
  assert.equal(parsed(page).querySelectorAll("figure tbody tr").length, 20);
  assert.ok(page.length < 16_500, `${page.length} characters`);
});
