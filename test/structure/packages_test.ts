/** Packages that a user's first command installs: Deno installs the product's lockfile as a whole. */
import assert from "node:assert/strict";
import { resolve } from "node:path";

const ROOT = resolve(import.meta.dirname!, "../..");

interface Lockfile {
  readonly specifiers: Readonly<Record<string, string>>;
  readonly npm: Readonly<Record<string, { readonly integrity: string }>>;
}

function readLockfile(path: string): Lockfile {
  return JSON.parse(Deno.readTextFileSync(`${ROOT}/${path}`));
}

/** Packages that only tests name: test/support/npm and the stand-in of S3. */
function testPackages(): string[] {
  const files = [...Deno.readDirSync(`${ROOT}/test/support/npm`)].map(({ name }) => `test/support/npm/${name}`);
  return [...files, "test/support/fakes/s3_main.ts"].flatMap((file) =>
    [...Deno.readTextFileSync(`${ROOT}/${file}`).matchAll(/"(npm:[^"]+)"/g)].map(([, specifier]) => specifier!)
  );
}

Deno.test("deno.lock has no package that only tests need; test/deno.lock has all, in the same versions", () => {
  const product = readLockfile("deno.lock"), tests = readLockfile("test/deno.lock"), only = testPackages();
  assert.ok(only.length >= 4, only.join());
  assert.deepEqual(only.filter((specifier) => specifier in product.specifiers), []);
  assert.deepEqual(only.filter((specifier) => !(specifier in tests.specifiers)), []);
  for (const [name, { integrity }] of Object.entries(product.npm)) {
    assert.equal(tests.npm[name]?.integrity, integrity, `${name} differs in test/deno.lock: run deno task test once`);
  }
});
