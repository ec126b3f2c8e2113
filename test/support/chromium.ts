/** Debian's chromium, for the tests that open a page. */
import { join } from "node:path";

function chromiumPath(): string | null {
  for (const folder of (Deno.env.get("PATH") ?? "").split(":")) {
    for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
      const path = join(folder, name);
      try {
        if (Deno.statSync(path).isFile) return path;
      } catch {
        // not in this folder
      }
    }
  }
  return null;
}

/** Path of chromium; null: it is not installed. */
export const CHROMIUM = chromiumPath();

/** End of the name of a test that needs it: empty, or what to install. */
export const CHROMIUM_REMEDY = CHROMIUM === null ? " (chromium is not installed: apt-get install chromium)" : "";
