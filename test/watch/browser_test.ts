/** The page of a running grid in a real browser: of made-up runs, and of a smoke run. */
import assert from "node:assert/strict";
import { dirname, join, resolve } from "node:path";
import { logFile } from "../../src/store/store.ts";
import axe from "../support/npm/axe_core.ts";
import { type Browser, chromium, type Page } from "../support/npm/playwright_core.ts";
import { CHROMIUM, CHROMIUM_REMEDY } from "../support/chromium.ts";
import { withFolder } from "../support/fakes/specs.ts";
import { endOf, epochOf, failureOf, FP, HOSTILE, LSQ, OTHER, progressOf, withWatch } from "./fixtures.ts";

const ROOT = resolve(import.meta.dirname!, "../..");
const PHONE = { width: 390, height: 844 }, DESK = { width: 1280, height: 900 };
/** Where screenshots are left to be looked at; unset: nowhere. */
const ARTIFACTS = Deno.env.get("REQUANT_ARTIFACTS");

/** A test with a browser, in which an error of the page is a fault. */
function browserTest(name: string, body: (open: (url: string) => Promise<Page>, browser: Browser) => Promise<void>) {
  Deno.test({
    name: name + CHROMIUM_REMEDY,
    ignore: CHROMIUM === null,
    async fn() {
      const faults: string[] = [];
      const browser = await chromium.launch({ executablePath: CHROMIUM!, args: ["--no-sandbox"] });
      try {
        await body(async (url) => {
          const page = await browser.newPage({ viewport: DESK });
          page.on("console", (message) => {
            if (message.type() === "error") faults.push(message.text());
          });
          page.on("pageerror", (error) => void faults.push(error.message));
          await page.goto(url);
          return page;
        }, browser);
      } finally {
        await browser.close();
      }
      assert.deepEqual(faults, []);
    },
  });
}

/** Checks that a page fits its screen and is readable, on a phone and a desk, in light and dark. */
async function requireReadable(page: Page, name: string): Promise<void> {
  for (const [device, size] of Object.entries({ phone: PHONE, desk: DESK })) {
    await page.setViewportSize(size);
    assert.equal(await page.evaluate("document.documentElement.scrollWidth"), size.width, `${name}, ${device}`);
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      // the policy of the page lets no foreign script in but through the debugger
      await page.evaluate(axe.source);
      const { violations } = await page.evaluate("axe.run({ preload: false })") as axe.AxeResults;
      const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical")
        .map(({ id, nodes }) => `${device} ${colorScheme}: ${id}: ${nodes[0]!.html} ${nodes[0]!.failureSummary}`);
      assert.deepEqual(serious, []);
      if (ARTIFACTS === undefined) continue;
      await page.screenshot({ path: join(ARTIFACTS, `${name}_${device}_${colorScheme}.png`), fullPage: true });
    }
  }
}

browserTest(
  "the page follows its runs: progress, curves, failures with their log, and the end",
  (open) =>
    withFolder(async (out) => {
      let page: Page | null = null;
      const text = (selector: string) => page!.locator(selector).innerText();
      await withWatch({ out }, async (watch) => {
        page = await open(watch.url);
        await page.getByText("Live: this page follows the runs.").waitFor();
        assert.match(await text("#runs"), /other resnet8 W2A4 seed 0\s+waiting\s+0\/1/);
        assert.equal(await page.locator("figure").count(), 0);
        watch.follow(() => ({ ended: 0, runs: 3, fraction: 0.4, etaSeconds: 120 }));
        watch.onEvent({ type: "started", run: FP });
        watch.onEvent(epochOf(FP, 1, 41));
        watch.onEvent(progressOf(FP, 60));
        await page.locator("figure svg").waitFor();
        assert.match(await text("#runs"), /fp resnet8 seed 0\s+running\s+2\/3\s+1\.250\s+64\s+41\.00/);
        assert.equal(await page.locator("tr.running progress").getAttribute("value"), "60");
        assert.match(await text("#progress"), /0 of 3 runs ended, about 2 min left\s+1 running, 2 waiting/);

        Deno.mkdirSync(dirname(logFile(out, LSQ.id)), { recursive: true });
        Deno.writeTextFileSync(logFile(out, LSQ.id), `all of it\n${HOSTILE}\n`);
        watch.onEvent(failureOf(LSQ));
        const failure = page.locator("#failures details");
        await failure.locator("summary").click();
        assert.equal(await failure.locator("pre").innerText(), `step 7\n${HOSTILE}`);
        for (const [epoch, top1] of [[2, 55], [3, 58]] as const) watch.onEvent(epochOf(FP, epoch, top1));
        watch.onEvent(failureOf(OTHER)); // the part is written anew, and what was unfolded stays so
        await page.locator("#failures details").nth(1).waitFor();
        assert.equal(await failure.first().locator("pre").isVisible(), true);
        await requireReadable(page, "watch");
        assert.equal(await page.title(), `Demo ${HOSTILE}`, "no script ran");
        assert.equal(await page.locator("img").count(), 0);

        await failure.first().getByRole("link", { name: "Its log" }).click();
        assert.equal(await text("body"), `all of it\n${HOSTILE}\n`);
        await page.goBack();
        await page.getByText("Live: this page follows the runs.").waitFor();
        watch.onEvent(endOf(FP));
      });
      await page!.getByText("The command has ended; this is its last state.").waitFor();
      assert.match(await text("#runs"), /fp resnet8 seed 0\s+done/);
    }),
);

browserTest(
  "bench --watch shows a smoke run as it goes, and ends as it does alone",
  (open, browser) =>
    withFolder(async (out) => {
      const command = ["task", "--quiet", "bench", "--paper", "mec", "--out", out, "--watch", "0", "--print"];
      const bench = new Deno.Command(Deno.execPath(), { args: command, cwd: ROOT, stdout: "piped", stderr: "piped" })
        .spawn();
      const printed = new Response(bench.stdout).text();
      let stderr = "", seen = (_url: string) => {};
      const url = new Promise<string>((resolve) => void (seen = resolve));
      const reading = (async () => {
        for await (const text of bench.stderr.pipeThrough(new TextDecoderStream())) {
          stderr += text;
          const found = /^The runs are shown at (http:\/\/127\.0\.0\.1:\d+\/)$/m.exec(stderr)?.[1];
          if (found !== undefined) seen(found);
        }
        seen("");
      })();
      try {
        const place = await url;
        assert.notEqual(place, "", stderr);
        const page = await open(place);
        assert.match(await page.locator("h1").innerText(), /^MEC-Quant: protocol smoke(, on engine onednn)?$/);
        const wait = { timeout: 300_000 };
        await page.locator("tr.running").first().waitFor(wait);
        await page.locator("figure svg").first().waitFor(wait); // after the first epoch
        await page.locator("tr.done").first().waitFor(wait);
        await requireReadable(page, "watch_smoke");
        await page.getByRole("link", { name: "Report on the finished runs" }).click();
        assert.equal(await page.locator("h1").innerText(), "Requant: results so far");
        await browser.close(); // which ends nothing
      } catch (error) {
        try {
          bench.kill("SIGKILL");
        } catch {
          // it has ended: the first error says more
        }
        throw error;
      }
      const { code } = await bench.status;
      await reading;
      assert.equal(code, 0, stderr);
      assert.match(stderr, /^Protocol smoke(, on engine onednn)?, 3 of 3 runs done$/m);
      assert.match(await printed, /^> \*\*Smoke protocol: this page tests the software/);
    }),
);
