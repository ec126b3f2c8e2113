/** Output of a git command; `problem`: git's own words where it failed. */
export type GitAnswer =
  | { readonly stdout: string; readonly problem: null }
  | { readonly stdout: null; readonly problem: string };

/** Runs git in a folder. Variables such as GIT_DIR, which would name another repository, are not passed on. */
export function git(folder: string, args: readonly string[]): GitAnswer {
  const own = Object.entries(Deno.env.toObject()).filter(([name]) => !name.startsWith("GIT_"));
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes).trim();
  try {
    const { success, stdout, stderr } = new Deno.Command("git", {
      args: ["-C", folder, ...args],
      clearEnv: true,
      env: Object.fromEntries(own),
    }).outputSync();
    if (success) return { stdout: text(stdout), problem: null };
    return { stdout: null, problem: text(stderr).split("\n")[0] || "git failed without a word" };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { stdout: null, problem: "the command git is not found" };
    throw error;
  }
}

/** Commit of a checkout; `problem`: why it is unknown although the folder is a checkout. */
export interface Checkout {
  readonly commit: string | null;
  readonly dirty: boolean | null;
  readonly problem: string | null;
}

/** The files that a run is computed and timed by; others, such as a site or a folder of runs, change no result. */
const COMPUTING = ["src", "benchmarks", "datasets", "perf", "deno.json", "deno.lock"];

/**
 * Reads the commit of a checkout, and if the files that a run is computed by differ from it.
 *
 * The folder must be the top of its own checkout: an unpacked archive inside another repository has no commit.
 */
export function checkoutOf(root: string): Checkout {
  const unknown = (problem: string | null): Checkout => ({ commit: null, dirty: null, problem });
  try {
    // A file where the checkout is a worktree or a submodule.
    Deno.lstatSync(`${root}/.git`);
  } catch {
    return unknown(null);
  }
  const top = git(root, ["rev-parse", "--show-toplevel"]);
  if (top.problem !== null) return unknown(top.problem);
  if (Deno.realPathSync(top.stdout) !== Deno.realPathSync(root)) {
    return unknown(`git takes it for a part of ${top.stdout}`);
  }
  const commit = git(root, ["rev-parse", "HEAD"]);
  if (commit.problem !== null) return unknown(commit.problem);
  const { stdout: changes, problem } = git(root, ["status", "--porcelain", "--", ...COMPUTING]);
  return { commit: commit.stdout, dirty: changes === null ? null : changes !== "", problem };
}
