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

Deno.test("cacheFolder() names REQUANT_CACHE and HOME where the user has no home folder", () => {
  const names = ["REQUANT_CACHE", "XDG_CACHE_HOME"] as const, before = names.map((name) => Deno.env.get(name));
  const homes = [() => null, () => "", () => {
    throw new Error("ENOENT: no such user");
  }];
  try {
    for (const name of names) Deno.env.delete(name);
    for (const home of homes) {
      assert.throws(() => cacheFolder("data", home), {
        name: "InputError",
        message: "Cannot choose a folder for downloads as this user has no home folder: set REQUANT_CACHE or HOME",
      });
    }
    Deno.env.set("REQUANT_CACHE", "/own");
    for (const home of homes) assert.equal(cacheFolder("data", home), "/own/data");
  } finally {
    names.forEach((name, i) => before[i] === undefined ? Deno.env.delete(name) : Deno.env.set(name, before[i]));
  }
});
