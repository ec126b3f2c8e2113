/** Folder of everything that Requant downloads, and of the rates that it measured. */
import { homedir } from "node:os";
import { join } from "node:path";
import { InputError } from "../errors.ts";

/**
 * Returns the folder `name` of `REQUANT_CACHE`, else of `XDG_CACHE_HOME/requant`, else of `~/.cache/requant`.
 * @throws {InputError} If none is set and the user has no home folder.
 */
export function cacheFolder(
  name: "data" | "libtensorflow" | "onednn" | "rates",
  home: () => string | null = homedir,
): string {
  const { REQUANT_CACHE, XDG_CACHE_HOME } = Deno.env.toObject();
  if (REQUANT_CACHE) return join(REQUANT_CACHE, name);
  return XDG_CACHE_HOME ? join(XDG_CACHE_HOME, "requant", name) : join(homeOf(home), ".cache", "requant", name);
}

function homeOf(home: () => string | null): string {
  let found: string | null = null;
  try {
    found = home();
  } catch {
    // No HOME, and no entry in the system's list of users, as in some containers.
  }
  if (found) return found;
  throw new InputError(
    "Cannot choose a folder for downloads as this user has no home folder: set REQUANT_CACHE or HOME",
  );
}
