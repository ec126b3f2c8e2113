/** The records as they were at a commit, read from git. */
import { InputError } from "../errors.ts";
import { parseRecords } from "../report/mod.ts";
import type { RunRecord } from "../record/record.ts";

/**
 * Reads `<records>/*.jsonl` of a revision; a folder that did not exist then has no records.
 *
 * @param folder The records folder of the working tree.
 * @throws {InputError} If git or its repository is missing, the revision is not known, or a record cannot be read.
 */
export function recordsAt(revision: string, folder: string): RunRecord[] {
  const git = (...args: string[]) => runGit(["-C", folder, ...args]);
  if (!git("rev-parse", "--is-inside-work-tree").success) {
    throw new InputError(
      `Cannot compare with ${revision} as ${folder} is no folder of a git checkout: run it in a clone of the repository, ` +
        "or name its records with --records",
    );
  }
  const commit = git("rev-parse", "--verify", "--quiet", "--end-of-options", `${revision}^{commit}`);
  if (!commit.success) {
    throw new InputError(
      `Cannot compare with "${revision}" as git knows no such commit here: name a commit, tag or branch, and fetch it ` +
        "first if the clone is shallow",
    );
  }
  const id = commit.stdout.trim();
  const names = git("ls-tree", "--name-only", id).stdout.split("\n").filter((name) => name.endsWith(".jsonl"));
  return names.sort().flatMap((name) => parseRecords(git("show", `${id}:./${name}`).stdout, `${revision}:${name}`));
}

function runGit(args: readonly string[]): { success: boolean; stdout: string } {
  try {
    const { success, stdout } = new Deno.Command("git", { args: [...args], stderr: "null" }).outputSync();
    return { success, stdout: new TextDecoder().decode(stdout) };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new InputError("Cannot compare with an earlier commit as the command git is not found: install git");
  }
}
