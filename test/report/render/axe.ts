/** Accessibility of a page by the rules of axe-core. */
import axe from "../../support/npm/axe_core.ts";
import type { Page } from "../../support/npm/playwright_core.ts";

/** Lists serious and critical violations of an opened page in light and dark, all folds open. */
export async function seriousViolations(page: Page): Promise<string[]> {
  await page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true");
  await page.addScriptTag({ content: axe.source });
  const found: string[] = [];
  // the scheme changes colours alone
  for (const [scheme, rules] of [["light", "{}"], ["dark", "{ runOnly: ['color-contrast'] }"]] as const) {
    await page.emulateMedia({ colorScheme: scheme });
    const options = `{ preload: false, resultTypes: ["violations"], ...${rules} }`;
    const { violations } = await page.evaluate(`axe.run(${options})`) as axe.AxeResults;
    found.push(
      ...violations.filter(({ impact }) => impact === "serious" || impact === "critical")
        .map(({ id, nodes }) => `${page.url()} ${scheme}: ${id}: ${nodes[0]!.html} ${nodes[0]!.failureSummary}`),
    );
  }
  return found;
}
