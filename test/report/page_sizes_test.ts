import assert from "node:assert/strict";
import { committedSite } from "./committed_site.ts";

/** A page that a phone loads and lays out without a wait. */
const LARGEST_BYTES = 250_000;

Deno.test("no page of the site of the committed records is larger than 250 KB", async () => {
  const pages = [...await committedSite()].filter(([path]) => path.endsWith(".html"));
  assert.ok(pages.some(([path]) => path === "fpq_level_span.html"));
  const large = pages.map(([path, { text }]) => ({ path, bytes: new TextEncoder().encode(text).length }))
    .filter(({ bytes }) => bytes > LARGEST_BYTES);
  assert.deepEqual(large, []);
});
