import assert from "node:assert/strict";
import { homedir } from "node:os";
import { join } from "node:path";
import { cacheFolder } from "../../src/data/cache.ts";

Deno.test("cacheFolder() is under REQUANT_CACHE, then XDG_CACHE_HOME, then the home; an empty variable counts as unset", () => {
  const names = ["REQUANT_CACHE", "XDG_CACHE_HOME"] as const, before = names.map((name) => Deno.env.get(name));
  try {
    for (
      const [own, xdg, root] of [
        ["/own", "/xdg", "/own"],
        ["", "/xdg", "/xdg/requant"],
        ["", "", join(homedir(), ".cache", "requant")],
      ] as const
    ) {
      Deno.env.set("REQUANT_CACHE", own);
      Deno.env.set("XDG_CACHE_HOME", xdg);
      assert.equal(cacheFolder("data"), join(root, "data"));
    }
  } finally {
    names.forEach((name, i) => before[i] === undefined ? Deno.env.delete(name) : Deno.env.set(name, before[i]));
  }
});
