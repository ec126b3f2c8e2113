/** Installations of several processes and machines in one cache. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { zipSync } from "fflate";
import { installLibtensorflow } from "../../src/engine/install.ts";
import { installedLibrary, installFolder, LIBRARY_FILES } from "../../src/engine/locate.ts";

/** Runs with an empty cache folder and a wheel of small libraries; the environment is then what it was. */
async function withWheel(body: (given: { wheel: string; sha256: string }) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir(), before = Deno.env.get("REQUANT_CACHE"), wheel = join(folder, "some.whl");
  const members = LIBRARY_FILES.map((name) => [`tensorflow/${name}`, new TextEncoder().encode("ours")]);
  const bytes = zipSync(Object.fromEntries(members)) as Uint8Array<ArrayBuffer>;
  await Deno.writeFile(wheel, bytes);
  Deno.env.set("REQUANT_CACHE", join(folder, "cache"));
  try {
    await body({ wheel, sha256: createHash("sha256").update(bytes).digest("hex") });
  } finally {
    before === undefined ? Deno.env.delete("REQUANT_CACHE") : Deno.env.set("REQUANT_CACHE", before);
    await Deno.remove(folder, { recursive: true });
  }
}

/** What there is in the folder that installations go to. */
function installed(): string[] {
  return [...Deno.readDirSync(dirname(installFolder("cpu")))].map(({ name }) => name).sort();
}

Deno.test("installLibtensorflow() cleans up after processes of its own host alone", async () => {
  await withWheel(async (given) => {
    const own = `.installing-${hostname()}`, gone = `${own}-999999999`; // no process has this number
    const kept = [`${own}-`, `${own}-2-4242`, `${own}2-4242`]; // hosts whose names begin like this one's
    for (const name of [gone, ...kept]) {
      await Deno.mkdir(join(dirname(installFolder("cpu")), name), { recursive: true });
    }
    await installLibtensorflow(given);
    assert.deepEqual(installed(), [...kept, "2.21.0-cpu"].sort());
  });
});

/** Runs `body`; before anything is renamed to `path` or removed there, `act` is called once. */
async function beforeChange(path: string, act: () => void, body: () => Promise<unknown>): Promise<void> {
  const { rename, remove } = Deno;
  let acted = false;
  const once = (changed: string | URL) => {
    if (String(changed) !== path || acted) return;
    acted = true;
    act();
  };
  Deno.rename = (from, to) => (once(to), rename(from, to));
  Deno.remove = (changed, options) => (once(changed), remove(changed, options));
  try {
    await body();
  } finally {
    Object.assign(Deno, { rename, remove });
  }
  assert.ok(acted);
}

Deno.test("installLibtensorflow() keeps what another installation put in place at the last moment", async () => {
  for (const damaged of [false, true]) {
    await withWheel(async (given) => {
      const final = installFolder("cpu"), library = installedLibrary("cpu");
      if (damaged) await Deno.mkdir(join(final, "left"), { recursive: true });
      const finish = () => {
        Deno.mkdirSync(final, { recursive: true });
        Deno.writeTextFileSync(library, "the other's");
      };
      await beforeChange(final, finish, () => installLibtensorflow(given));
      assert.equal(await Deno.readTextFile(library), "the other's");
      assert.deepEqual(installed(), ["2.21.0-cpu"]);
    });
  }
});
