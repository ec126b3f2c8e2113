import assert from "node:assert/strict";
import { checkoutOf, git } from "../../src/store/git.ts";
import { withFolder } from "../support/fakes/specs.ts";

function run(folder: string, ...args: string[]): string {
  const answer = git(folder, ["-c", "user.name=test", "-c", "user.email=test@example.org", ...args]);
  assert.equal(answer.problem, null);
  return answer.stdout!;
}

function makeCheckout(folder: string): void {
  run(folder, "init", "--quiet");
  run(folder, "commit", "--quiet", "--allow-empty", "-m", "first");
}

Deno.test("checkoutOf() returns the commit and if the code of runs differs from it", () =>
  withFolder((folder) => {
    makeCheckout(folder);
    const clean = checkoutOf(folder);
    assert.match(clean.commit!, /^[0-9a-f]{40}$/);
    assert.deepEqual([clean.dirty, clean.problem], [false, null]);
    for (const name of ["my_runs", "src"]) Deno.mkdirSync(`${folder}/${name}`);
    Deno.writeTextFileSync(`${folder}/my_runs/spec.json`, "");
    assert.deepEqual(checkoutOf(folder), clean, "a folder of runs changes no result");
    Deno.writeTextFileSync(`${folder}/src/new.ts`, "");
    assert.deepEqual(checkoutOf(folder), { ...clean, dirty: true });
  }));

Deno.test("checkoutOf() takes no commit from the repository that an unpacked archive lies in", () =>
  withFolder((folder) => {
    makeCheckout(folder);
    Deno.mkdirSync(`${folder}/requant`);
    assert.deepEqual(checkoutOf(`${folder}/requant`), { commit: null, dirty: null, problem: null });
    // An empty .git is no checkout of its own: git would go on to the outer one.
    Deno.mkdirSync(`${folder}/requant/.git`);
    const { commit, problem } = checkoutOf(`${folder}/requant`);
    assert.equal(commit, null);
    assert.equal(problem, `git takes it for a part of ${Deno.realPathSync(folder)}`);
  }));

Deno.test("checkoutOf() takes no commit from a repository that GIT_DIR names", () =>
  withFolder((folder) => {
    for (const name of ["own", "other"]) {
      Deno.mkdirSync(`${folder}/${name}`);
      makeCheckout(`${folder}/${name}`);
    }
    run(`${folder}/other`, "commit", "--quiet", "--allow-empty", "-m", "second");
    const expected = checkoutOf(`${folder}/own`);
    Deno.env.set("GIT_DIR", `${folder}/other/.git`);
    try {
      assert.deepEqual(checkoutOf(`${folder}/own`), expected);
    } finally {
      Deno.env.delete("GIT_DIR");
    }
  }));

Deno.test("checkoutOf() keeps git's own words where git fails, and says that git is not found", () =>
  withFolder((folder) => {
    makeCheckout(folder);
    Deno.writeTextFileSync(`${folder}/.git/HEAD`, "no reference");
    assert.match(checkoutOf(folder).problem!, /^fatal: /);
    const path = Deno.env.get("PATH")!;
    Deno.env.set("PATH", folder);
    try {
      assert.equal(checkoutOf(folder).problem, "the command git is not found");
    } finally {
      Deno.env.set("PATH", path);
    }
  }));
