/** The server of a running grid's page: it only reads, answers this machine, and its readers end nothing. */
import { InputError, messageOf } from "../errors.ts";
import { type PoolEvent, within } from "../pool/pool.ts";
import type { TotalView } from "../pool/progress_display.ts";
import type { RunRecord } from "../record/record.ts";
import type { PlannedRun } from "../record/spec.ts";
import type { ReportFile } from "../report/mod.ts";
import STYLE from "../report/render/html/style.css" with { type: "text" };
import { readTextIfThere } from "../store/files.ts";
import { logFile } from "../store/store.ts";
import type { WatchAddress } from "./address.ts";
import { isTrustedHost } from "./address.ts";
import { type Part, watchedGrid } from "./grid.ts";
import { type PageView, partHtml, PARTS, watchPage } from "./page.ts";
import SCRIPT from "./watch.js" with { type: "text" };
import WATCH_STYLE from "./watch.css" with { type: "text" };

/** Milliseconds between two messages to a browser, between two signs of life, and for its last message. */
const EVERY_MS = 500, BEAT_MS = 15_000, CLOSE_MS = 2000;
/** Messages that a browser has not taken before it is cut off: it connects again when it wakes. */
const MOST_WAITING = 50;
/** End of a log that is shown. */
const LOG_CHARACTERS = 200_000;

const HEADERS = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; script-src 'self'; connect-src 'self'; img-src data:; " +
    "style-src 'self' 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};
const TYPES: Readonly<Record<string, string>> = { html: "text/html", css: "text/css", js: "text/javascript" };

/** Options of `openWatch`. */
export interface WatchOptions {
  readonly title: string;
  readonly out: string;
  /** Runs of the grid; empty for a worker, whose runs come with their events. */
  readonly runs: readonly PlannedRun[];
  readonly finished: ReadonlyMap<string, RunRecord>;
  /** Renders the report on the finished runs; left out: there is none. */
  readonly report?: (records: readonly RunRecord[]) => Promise<readonly ReportFile[]>;
}

/** A page that is served. */
export interface Watch {
  /** For people: where it is. */
  readonly url: string;
  onEvent(event: PoolEvent): void;
  /** Gives the page what is known of all runs. */
  follow(total: () => TotalView): void;
  /** Tells the browsers that the command has ended, and frees the port. */
  close(): Promise<void>;
}

/**
 * Serves the page of a running grid.
 * @throws {InputError} If the address is in use, or not of this machine.
 */
export function openWatch(address: WatchAddress, { title, out, runs, finished, report }: WatchOptions): Watch {
  const grid = watchedGrid(runs, { out, finished });
  const records = new Map(finished);
  const readers = new Set<ReadableStreamDefaultController<Uint8Array>>();
  const changed = new Set<Part>();
  let total: (() => TotalView) | null = null;
  let site: { readonly size: number; readonly files: Promise<ReadonlyMap<string, string>> } | null = null;

  function view(): PageView {
    return { title, runs: grid.runs, total: total?.() ?? null, hasSite: report !== undefined };
  }

  function send(reader: ReadableStreamDefaultController<Uint8Array>, text: string): void {
    if ((reader.desiredSize ?? 0) < -MOST_WAITING) {
      readers.delete(reader);
      reader.close();
    } else reader.enqueue(new TextEncoder().encode(text));
  }

  function message(parts: Iterable<Part>): string {
    const now = view();
    return `event: parts\ndata: ${
      JSON.stringify(Object.fromEntries([...parts].map((part) => [part, partHtml(part, now)])))
    }\n\n`;
  }

  function flush(): void {
    if (changed.size === 0 || readers.size === 0) return;
    const text = message(changed);
    changed.clear();
    for (const reader of readers) send(reader, text);
  }

  function events(): Response {
    let own: ReadableStreamDefaultController<Uint8Array>;
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        own = controller;
        readers.add(controller);
        send(controller, `retry: 2000\n${message(PARTS)}`);
      },
      cancel: () => void readers.delete(own),
    });
    return answer(stream, "text/event-stream");
  }

  /** Renders the site anew when a run has ended since. */
  function siteFiles(): Promise<ReadonlyMap<string, string>> {
    if (site?.size !== records.size) {
      const files = report!([...records.values()]).then((all) => new Map(all.map(({ path, text }) => [path, text])));
      site = { size: records.size, files };
      files.catch(() => {
        if (site?.files === files) site = null; // the next request tries again
      });
    }
    return site.files;
  }

  async function handle(request: Request): Promise<Response> {
    if (!isTrustedHost(request.headers.get("host"), address)) {
      return refusal(403, `Cannot answer for this host name: open ${url}`);
    }
    if (request.method !== "GET") return refusal(405, "Cannot change anything here: the page is read-only");
    const path = new URL(request.url).pathname;
    if (path === "/") return answer(watchPage(view()), "text/html");
    if (path === "/events") return events();
    if (path === "/style.css") return answer(STYLE, "text/css");
    if (path === "/watch.css") return answer(WATCH_STYLE, "text/css");
    if (path === "/watch.js") return answer(SCRIPT, "text/javascript");
    const id = /^\/runs\/([0-9a-f]{16})\/log\.txt$/.exec(path)?.[1];
    const log = id !== undefined && grid.runs.has(id) ? readTextIfThere(logFile(out, id)) : null;
    if (log !== null) return answer(log.slice(-LOG_CHARACTERS), "text/plain");
    if (report !== undefined && path.startsWith("/site/")) {
      const text = (await siteFiles()).get(path.slice(1));
      if (text !== undefined) return answer(text, TYPES[path.split(".").at(-1)!] ?? "text/plain");
    }
    return refusal(404, `Cannot find this page: open ${url}`);
  }

  const server = listen(address, handle);
  const { hostname, port } = server.addr as Deno.NetAddr;
  const own = ["0.0.0.0", "::"].includes(hostname) ? "localhost" : hostname;
  const url = `http://${own.includes(":") ? `[${own}]` : own}:${port}/`;
  const timers = [
    setInterval(flush, EVERY_MS),
    setInterval(() => readers.forEach((reader) => send(reader, ": here\n\n")), BEAT_MS),
  ];
  return {
    url,
    onEvent(event) {
      if (event.type === "ended" && event.record !== null) records.set(event.run.id, event.record);
      for (const part of grid.onEvent(event)) changed.add(part);
    },
    follow: (of) => void (total = of),
    async close() {
      timers.forEach(clearInterval);
      const last = `${message(PARTS)}event: end\ndata:\n\n`;
      for (const reader of readers) {
        send(reader, last);
        if (readers.delete(reader)) reader.close();
      }
      await within(server.shutdown(), CLOSE_MS); // a browser that sleeps takes nothing
    },
  };
}

function listen(
  { hostname, port }: WatchAddress,
  handle: (request: Request) => Promise<Response>,
): Deno.HttpServer {
  try {
    return Deno.serve({
      hostname,
      port,
      onListen: () => {},
      onError: (error) => refusal(500, messageOf(error)),
    }, handle);
  } catch (error) {
    const place = `${hostname}:${port}`;
    if (error instanceof Deno.errors.AddrInUse) {
      throw new InputError(
        `Cannot show the runs on ${place} as that port is in use: give another, --watch ${port + 1}`,
      );
    }
    throw new InputError(
      `Cannot show the runs on ${place}: ${messageOf(error)}. Give an address of this machine, such as --watch 8642`,
    );
  }
}

function answer(body: BodyInit, type: string): Response {
  return new Response(body, { headers: { ...HEADERS, "content-type": `${type}; charset=utf-8` } });
}

function refusal(status: number, sentence: string): Response {
  return new Response(`${sentence}\n`, {
    status,
    headers: { ...HEADERS, "content-type": "text/plain; charset=utf-8" },
  });
}
