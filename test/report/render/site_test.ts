import assert from "node:assert/strict";
import { posix } from "node:path";
import { parseHTML } from "linkedom";
import { record, RECORDS, runs } from "../fixtures.ts";
import { runPageBlocks } from "../../../src/report/pages/run.ts";
import { blocksHtml } from "../../../src/report/render/html/block_html.ts";
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
    assert.doesNotMatch(html, /https?:|<img|<iframe|@import|url\((?!#)/, path);
    for (const [, target] of html.matchAll(/(?:href|src)="([^"#]+)(?:#[^"]*)?"/g)) {
      if (target === "data:,") continue; // the empty icon
      links++;
      assert.ok(SITE.has(posix.join(posix.dirname(path), target!)), `${path} links to ${target}`);
    }
  }
  assert.ok(links > 10 * PAGES.length);
  assert.doesNotMatch(SITE.get("style.css")! + SITE.get("site.js")!, /https?:|@import|url\(|fetch|import\(/);
});

Deno.test("every link within a page leads to a place in it", () => {
  for (const [path, html] of PAGES) {
    const ids = new Set([...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id));
    const targets = [...html.matchAll(/href="#([^"]+)"/g)].map(([, target]) => target!);
    assert.ok(targets.length > 0, path);
    for (const target of targets) assert.ok(ids.has(target), `${path} links to #${target}`);
  }
});

Deno.test("every run has a page that its paper's page and the list of runs link to", () => {
  const list = pageOf("runs/index.html"), paper = pageOf("demo.html") + pageOf("demo_smoke.html");
  for (const { id, spec } of [...RECORDS, BROKEN]) {
    assert.ok(SITE.has(`runs/${id}.html`));
    assert.ok(list.includes(`href="../runs/${id}.html"`), id);
    if (spec.dataset.evaluateOn === "test") assert.ok(paper.includes(`href="runs/${id}.html"`), id);
  }
});

/** Column of the list of all runs by its title, in the page's order. */
function runColumn(title: string): string[] {
  const table = parsed(pageOf("runs/index.html")).querySelector("table");
  // deno-lint-ignore no-explicit-any
  const texts = (row: any): string[] => [...row.children].map((cell: any) => cell.textContent);
  const index = texts(table.querySelector("thead tr")).indexOf(title);
  return [...table.querySelectorAll("tbody tr")].map((row) => texts(row)[index]!);
}

Deno.test("the list of all runs says paper and device, and is sorted by paper, protocol, method and seed", () => {
  const [papers, protocols, methods, seeds] = ["Paper", "Protocol", "Method", "Seed"].map(runColumn);
  assert.deepEqual([...new Set(papers)], ["Demo, Other"]);
  assert.deepEqual([...new Set(protocols)], ["paper", "reduced", "smoke"]);
  const ofPaper = methods!.slice(0, protocols!.lastIndexOf("paper") + 1);
  assert.deepEqual(ofPaper, ofPaper.toSorted());
  const good = seeds!.filter((_, index) => protocols![index] === "paper" && methods![index] === "Good");
  assert.deepEqual(good, ["0", "1", "2", "9"]);
  assert.deepEqual([...new Set(runColumn("Device"))], ["CPU"]);
});

Deno.test("a run of no paper stands last in the list of all runs", () => {
  const lost = record({ arm: "aaa" });
  const list = renderedSite([lost, ...RECORDS]).get("runs/index.html")!;
  assert.ok(list.indexOf(`>${lost.id}<`) > Math.max(...RECORDS.map(({ id }) => list.indexOf(`>${id}<`))));
});

Deno.test("a paper's page folds all but its first screen; smoke runs have a page of their own, without figures", () => {
  const main = parsed(pageOf("demo.html")), smoke = parsed(pageOf("demo_smoke.html"));
  assert.equal(main.querySelectorAll("main > h2").length, 0);
  assert.equal(main.querySelectorAll("main > .figures figure#paper-t1-difference").length, 1);
  assert.equal(main.querySelectorAll("details figure#paper-t1-difference").length, 0);
  const folds = [...main.querySelectorAll("details.fold h2")].map(({ textContent }) => textContent);
  assert.deepEqual(folds.slice(0, 3), ["How to read the tables", "Protocol paper", "Protocol reduced"]);
  assert.ok(!folds.includes("Protocol smoke"));
  assert.equal(main.querySelector('a[href="demo_smoke.html"]').textContent, "Demo: smoke runs");
  assert.match(smoke.querySelector(".banner").textContent, /^Smoke protocol: /);
  assert.match(smoke.querySelector("table").textContent, /31\.25/);
  assert.equal(smoke.querySelectorAll("figure").length, 0);
  assert.doesNotMatch(pageOf("demo.html"), /31\.25/);
});

Deno.test("the first screen compares published cells with ours, or says that none has runs", () => {
  const captions = (html: string) =>
    [...parsed(html).querySelectorAll("main > .scroll caption")]
      .map(({ textContent }) => textContent);
  assert.deepEqual(captions(pageOf("demo.html")), ["Cells, published against ours; the first 4 of 6, all are below"]);
  const rows = [...parsed(pageOf("demo.html")).querySelectorAll("main > .scroll tbody tr")];
  assert.deepEqual(
    rows.map(({ children }) => [...children].at(-2)!.textContent),
    Array(4).fill("paper"),
    "the protocol",
  );
  const none = renderedSite(RECORDS.filter(({ spec }) => spec.protocol === "reduced")).get("demo.html")!;
  assert.deepEqual(captions(none), []);
  assert.match(none, /<p>8 published cells, and no run of one on its own model and protocol/);
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
  const figure = parsed(pageOf("demo_figures_paper_t1.html")).querySelector("figure#paper-t1-difference");
  const rows = [...figure.querySelectorAll("tbody tr")].map((row) =>
    // deno-lint-ignore no-explicit-any
    [...row.children].map((cell: any) => cell.textContent)
  );
  const good = rows.find((row) => row[1] === "Good")!;
  // differences 1.4, 1.6, 1.4: sd 0.1155, and 4.303 * 0.1155 / sqrt(3) = 0.287
  assert.deepEqual(good.slice(2), ["+1.47", "[+1.18, +1.75]", "3", "+1.50"]);
  const label = figure.querySelector("desc").textContent;
  assert.match(label, /highest: Good on ResNet-18, W2A2, \+1\.47/);
  const [desk, phone] = figure.querySelectorAll("svg");
  for (const [, , value, , n] of rows) {
    for (const svg of [desk, phone]) assert.ok(svg.textContent.includes(value) && svg.textContent.includes(n), value);
  }
  assert.equal(new Set([...figure.outerHTML.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id)).size, 5, "no id twice");
});

Deno.test("the claims page lists each paper's claims with verdict and evidence", () => {
  const document = parsed(pageOf("claims.html"));
  assert.match(document.querySelector("main").textContent, /Good beats LSQ at W2A2 on ResNet-18 by 1\.50/);
  assert.equal(document.querySelectorAll(".verdict.reproduced").length, 1);
});

Deno.test("learning curves are differences to the LSQ run of the seed, and without one as they are", () => {
  const page = parsed(pageOf("demo_figures_paper_t1.html")), figure = page.querySelector("figure#paper-t1-curves-2");
  assert.match(figure.querySelector("figcaption").textContent, /ResNet-18, W2A2: test accuracy less LSQ's/);
  assert.match(figure.querySelector("desc").textContent, /Good \+1\.47; Bad \+0\.05/);
  assert.equal(figure.querySelectorAll("tbody tr").length, 4);
  assert.match(page.querySelector("figure#paper-t1-curves-1 desc").textContent, /Full precision 92\.03/);
});

Deno.test("on a phone a table with long text reads as cards, whether it can be sorted or not; a table of facts does not", () => {
  const kindOf = (columns: readonly string[], cell: string) =>
    /<table class="(\w+)"/.exec(blocksHtml([{
      kind: "table",
      caption: "Numbers",
      columns: columns.map((title) => ({ title, align: "left" })),
      rows: [columns.map(() => cell)],
      ordered: true,
    }], ""))?.[1];
  const long = "a text of more than fifty letters, which makes a column wide";
  assert.deepEqual(
    [kindOf(["a", "b", "c"], long), kindOf(["a", "b", "c"], "1"), kindOf(["Name", "Value"], long)],
    ["cards", undefined, "facts"],
  );
});

Deno.test("figures are of tables with two quantized methods, which alone compare", () => {
  const alone = runs({ arm: "good" }, [80, 81, 80.5]),
    figures = (records: typeof RECORDS) =>
      [...renderedSite(records).keys()].filter((path) => path.includes("_figures_"));
  assert.deepEqual(figures(alone), []);
  assert.ok(figures([...alone, ...runs({ arm: "lsq" }, [80, 81, 80])]).length > 0);
});

Deno.test("the findings are a page whose links lead to the site's pages, and whose HTML is text", () => {
  const html = pageOf("findings.html"), main = parsed(html).querySelector("main");
  assert.equal(main.querySelector("h1").textContent, "Findings");
  assert.equal(main.querySelector("a").outerHTML, '<a href="demo.html">its page</a>');
  assert.equal(main.querySelectorAll("a, script").length, 1);
  assert.match(html, /<strong>Bold<\/strong> <code>code<\/code> &lt;script&gt;alert\(1\)&lt;\/script&gt;/);
  assert.match(pageOf("index.html"), /<a href="findings.html">Findings<\/a>/);
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

Deno.test("a run's page names what differed before the run was stopped and resumed", () => {
  const run = record({ arm: "good" }), earlier = { ...run.environment, cpu: "Another", threads: 2 };
  const blocks = runPageBlocks({ ...run, earlierEnvironments: [earlier] }, {
    ...{ armTitle: "Good", teacherHasPage: false, papers: [] },
  });
  const text = JSON.stringify(blocks);
  assert.match(text, /"earlier process 1: threads","2"\],\["earlier process 1: cpu","Another"\],\["SHA-256 of/);
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
    table.querySelector("caption").textContent === "Demo, Table 1: CIFAR-10, protocol paper"
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
