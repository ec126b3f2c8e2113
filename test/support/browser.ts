/** Debian's chromium, driven by playwright-core, for the tests of pages. */
import { CHROMIUM, CHROMIUM_REMEDY } from "./chromium.ts";
import { type Browser, chromium } from "./npm/playwright_core.ts";

/** Screens of the two kinds of reader. */
export const PHONE = { width: 390, height: 844 }, DESK = { width: 1280, height: 900 };

/** Folder where screenshots are left to be looked at; unset: nowhere. */
export const ARTIFACTS = Deno.env.get("REQUANT_ARTIFACTS");

/** Defines a test that has a browser; without chromium it is ignored, and says so. */
export function browserTest(name: string, body: (test: Deno.TestContext, browser: Browser) => Promise<void>): void {
  Deno.test({
    name: `${name}${CHROMIUM_REMEDY}`,
    ignore: CHROMIUM === null,
    fn: async (test) => {
      // root may not use chromium's sandbox, and CI runs as root
      const browser = await chromium.launch({ executablePath: CHROMIUM!, args: ["--no-sandbox"] });
      try {
        await body(test, browser);
      } finally {
        await browser.close();
      }
    },
  });
}
