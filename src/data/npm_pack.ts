import { join } from "node:path";

/** An offline machine is to be told so within seconds; npm's own defaults try for minutes. */
const IMPATIENT = ["--fetch-retries=1", "--fetch-retry-mintimeout=500", "--fetch-retry-maxtimeout=1000"];

/**
 * Downloads a package with npm, as its archive; nothing of it is installed or run.
 * @param name `name@version`.
 * @returns The path of the .tgz within `folder`.
 * @throws {Error} If npm is not there or fails.
 */
export async function npmPack(name: string, folder: string): Promise<string> {
  const npm = new Deno.Command("npm", {
    args: ["pack", name, "--ignore-scripts", "--loglevel=error", "--pack-destination", folder, ...IMPATIENT],
    cwd: folder,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  const { success, stdout, stderr } = await npm.output().catch((error) => {
    throw error instanceof Deno.errors.NotFound ? new Error("npm is not on PATH") : error;
  });
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
  if (!success) throw new Error(npmFailure(text(stderr)));
  return join(folder, text(stdout).split("\n").at(-1)!);
}

/** What npm says of a failure: the line on the network, else a code and its meaning; without its marks. */
function npmFailure(text: string): string {
  const lines = text.split("\n").map((line) => line.replace(/^npm (error|ERR!) ?/, "").trim()).filter(Boolean);
  const network = lines.find((line) => line.startsWith("network "));
  return `npm failed: ${network ?? (lines.slice(0, 2).join(", ") || "it gave no reason")}`;
}
