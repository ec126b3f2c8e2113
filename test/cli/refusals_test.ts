/** Commands that cannot work refuse before they leave anything behind or download anything. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openRun, writeRecord } from "../../src/store/store.ts";
import { record } from "../report/fixtures.ts";
import { withFolder } from "../support/fakes/specs.ts";

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

async function command(args: readonly string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-check", MAIN, ...args],
    env,
  }).output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

for (const words of ["bench --paper mec", "acceptance", "tune"]) {
  Deno.test(`${words} --out a,b makes no folder, as no process could be given it`, () =>
    withFolder(async (folder) => {
      const { code, stderr } = await command([...words.split(" "), "--engine", "wasm", "--out", join(folder, "a,b")]);
      assert.equal(code, 2);
      assert.match(stderr, /^Cannot use the folder ".*a,b" as its name has a comma: choose one without$/m);
      assert.deepEqual(namesIn(folder), []);
    }));
}

Deno.test("data --cache refuses what can be no folder before it asks any source", () =>
  withFolder(async (folder) => {
    const loop = join(folder, "loop"), file = join(folder, "file");
    Deno.symlinkSync(loop, loop);
    Deno.writeTextFileSync(file, "");
    for (const cache of [loop, join(loop, "below"), file]) {
      const { code, stdout, stderr } = await command(["data", "fashion_mnist", "--cache", cache]);
      assert.deepEqual([code, stdout], [2, ""]);
      assert.match(stderr, /^Cannot (write|read) [^\n]*\n$/, "one line: nothing was asked for");
    }
    assert.deepEqual(namesIn(folder), ["file", "loop"]);
  }));

Deno.test({
  name: "output that goes to a full disk ends with one sentence and exit code 2",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const script = `"$0" run -A --quiet --no-check "$1" bench --list > /dev/full`;
    const { code, stderr } = await new Deno.Command("sh", { args: ["-c", script, Deno.execPath(), MAIN] }).output();
    assert.equal(code, 2);
    assert.equal(
      new TextDecoder().decode(stderr),
      "Cannot write the output as the disk is full: free some space, or write it elsewhere\n",
    );
  },
});

Deno.test("runs shows the control characters of a record instead of sending them to the terminal", () =>
  withFolder(async (folder) => {
    const bad = record({ arm: "good", top1Percent: null, reason: "\x1b[2J\x1b]0;owned\x07 it broke" });
    openRun(folder, bad.spec);
    writeRecord(folder, bad);
    for (const args of [["list"], ["show", bad.id]]) {
      const { code, stdout } = await command(["runs", ...args, "--out", folder]);
      assert.equal(code, 0);
      assert.ok(stdout.includes("failed: \\u001b[2J\\u001b]0;owned\\u0007 it broke"), stdout);
      assert.ok(!stdout.includes("\x1b"));
    }
    const { stdout } = await command(["runs", "show", bad.id, "--json", "--out", folder]);
    assert.equal(JSON.parse(stdout).record.reason, bad.reason);
  }));
