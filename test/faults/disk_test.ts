import assert from "node:assert/strict";
import { join } from "node:path";
import { withFolder } from "../support/fakes/specs.ts";
import { recordsOf, startPool, undisturbed } from "./grid.ts";

/** Why no file system of its own can be made; null: it can. */
async function reason(): Promise<string | null> {
  const folder = await Deno.makeTempDir();
  try {
    const error = await mount(["-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]);
    if (error === null) await umount(folder);
    return error;
  } finally {
    await Deno.remove(folder);
  }
}

async function run(program: string, args: readonly string[]): Promise<string | null> {
  try {
    const { success, stderr } = await new Deno.Command(program, { args: [...args], stdout: "null" }).output();
    return success ? null : new TextDecoder().decode(stderr).trim() || `${program} failed`;
  } catch {
    return `there is no ${program}`;
  }
}
const mount = (args: readonly string[]): Promise<string | null> => run("mount", args);
const umount = (folder: string): Promise<string | null> => run("umount", ["--lazy", folder]);

const tryRemountReadOnly = (folder: string): Promise<string | null> => mount(["-o", "remount,ro", folder]);
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const WHY_NOT = await reason();
const EXPECTED = WHY_NOT === null ? await undisturbed() : [];

/** A test on a file system of its own, as root is stopped by no file's mode. */
function diskTest(
  name: string,
  options: string,
  body: (out: string, remount: (options: string) => Promise<void>) => Promise<void>,
) {
  Deno.test({
    name: WHY_NOT === null ? name : `${name} (no file system can be mounted: ${WHY_NOT})`,
    ignore: WHY_NOT !== null,
    fn: () =>
      withFolder(async (folder) => {
        const disk = join(folder, "disk");
        Deno.mkdirSync(disk);
        assert.equal(await mount(["-t", "tmpfs", "-o", options, "tmpfs", disk]), null);
        try {
          await body(disk, async (changed) => assert.equal(await mount(["-o", `remount,${changed}`, disk]), null));
        } finally {
          await umount(disk);
        }
      }),
  });
}

diskTest(
  "a grid on a full disk ends with one sentence, and goes on when there is space",
  "size=2m",
  async (out, remount) => {
    Deno.mkdirSync(join(out, "runs"));
    // Leaves 40 KiB: some runs start, and none has room for its files.
    Deno.writeFileSync(join(out, "ballast"), new Uint8Array(2 * 2 ** 20 - 40 * 1024));
    const full = await startPool(out).ended();
    assert.equal(full.code, 2);
    assert.match(
      full.stderr,
      /^Cannot write .* as the disk is full: free some space and run the same command again, or /m,
    );
    assert.ok(
      recordsOf(out).every((record, i) => record === null || JSON.stringify(record) === JSON.stringify(EXPECTED[i])),
    );
    Deno.removeSync(join(out, "ballast"));
    await remount("size=16m");
    const { code, stderr } = await startPool(out).ended();
    assert.equal(code, 0, stderr);
    assert.deepEqual(recordsOf(out), EXPECTED);
  },
);

diskTest(
  "a grid on a read-only folder ends with one sentence, and goes on when it can be written",
  "size=16m",
  async (out, remount) => {
    const first = startPool(out);
    while (recordsOf(out).every((record) => record === null)) await sleep(20);
    first.child.kill("SIGKILL");
    await first.ended();
    // A child that lives on for a moment keeps the file system busy.
    for (let tries = 0; await tryRemountReadOnly(out) !== null && tries < 100; tries++) await sleep(100);
    const { code, stderr } = await startPool(out, undefined, { writeSpecs: false }).ended();
    assert.equal(code, 2);
    assert.match(stderr, /^Cannot write .* as writing there is not permitted: choose another place$/m);
    await remount("rw");
    const again = await startPool(out).ended();
    assert.equal(again.code, 0, again.stderr);
    assert.deepEqual(recordsOf(out), EXPECTED);
  },
);
