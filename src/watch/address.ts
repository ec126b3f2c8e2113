/** The address of the page of a running grid; it loads nothing, as every command line reads it. */
import { isIP } from "node:net";
import { InputError } from "../errors.ts";

/** Place where the page is served. */
export interface WatchAddress {
  readonly hostname: string;
  readonly port: number;
}

/** Address of `--watch` alone: this machine only. */
export const DEFAULT_WATCH: WatchAddress = { hostname: "127.0.0.1", port: 8642 };

/** Reads `PORT`, `HOST:PORT` or `[IPv6]:PORT`. @throws {InputError} If it is none. */
export function parseWatchAddress(text: string): WatchAddress {
  const match = /^(?:(?:\[([\da-f:.]+)\]|([\w.-]+)):)?(\d{1,5})$/i.exec(text), port = Number(match?.[3]);
  if (match !== null && port <= 65_535) {
    return { hostname: match[1] ?? match[2] ?? DEFAULT_WATCH.hostname, port };
  }
  throw new InputError(`Cannot use --watch "${text}" as it must be PORT or HOST:PORT: give such as 8642`);
}

/** Tells if an address is seen by other machines too. */
export function isPublic({ hostname }: WatchAddress): boolean {
  return !/^(localhost|127\.[\d.]+|::1)$/i.test(hostname);
}

/**
 * Tells if a request asked for this machine by an address, by `localhost` or by the name of `--watch`. A foreign page whose
 * name was made to lead here (DNS rebinding) asks by that name.
 */
export function isTrustedHost(header: string | null, { hostname }: WatchAddress): boolean {
  const host = /^(\[[^\]]*\]|[^:]*)(?::\d+)?$/.exec(header?.toLowerCase() ?? "")?.[1] ?? "";
  return host === "localhost" || host === hostname.toLowerCase() || isIP(host.replace(/^\[|\]$/g, "")) !== 0;
}
