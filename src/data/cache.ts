/** Where Requant keeps what it downloads. */
import { homedir } from "node:os";
import { join } from "node:path";

/** The folder `name` of `REQUANT_CACHE`, else of `XDG_CACHE_HOME/requant`, else of `~/.cache/requant`. */
export function cacheFolder(name: "data" | "libtensorflow" | "onednn"): string {
  const { REQUANT_CACHE, XDG_CACHE_HOME } = Deno.env.toObject();
  const root = REQUANT_CACHE ||
    (XDG_CACHE_HOME ? join(XDG_CACHE_HOME, "requant") : join(homedir(), ".cache", "requant"));
  return join(root, name);
}
