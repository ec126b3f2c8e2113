/** `--watch`, of the commands that run a grid. */
import { DEFAULT_WATCH, isPublic, parseWatchAddress, type WatchAddress } from "../watch/address.ts";
import type { Watch, WatchOptions } from "../watch/server.ts";
import { type Flag, option } from "./command_line.ts";
import type { Output } from "./console.ts";

/** Values of `watchOption`. */
export interface WatchValues {
  /** Null: not asked for. */
  readonly watch: WatchAddress | null;
}

/** The option, with an address or without. */
export function watchOption(): Flag {
  const { hostname, port } = DEFAULT_WATCH;
  return option("--watch [HOST:PORT]", `show the runs in a browser, at port ${port}`, parseWatchAddress)
    .preset(`${hostname}:${port}`).default(null);
}

/**
 * Serves the page of a grid, if that was asked for, and says where.
 * @throws {InputError} If the address is in use.
 */
export async function startWatch(
  address: WatchAddress | null,
  options: WatchOptions,
  { stderr }: Pick<Output, "stderr">,
): Promise<Watch | null> {
  if (address === null) return null;
  const { openWatch } = await import("../watch/server.ts");
  const watch = openWatch(address, options);
  const seen = isPublic(address) ? ", for everyone who reaches this machine" : "";
  stderr(`The runs are shown at ${watch.url}${seen}\n`);
  return watch;
}
