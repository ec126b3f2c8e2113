import assert from "node:assert/strict";
import { dirname } from "node:path";
import { logFile, runIds } from "../../src/store/store.ts";
import { openWatch } from "../../src/watch/server.ts";
import { withFolder } from "../support/fakes/specs.ts";
import { endOf, epochOf, failureOf, FP, HOSTILE, LSQ, OTHER, progressOf, withWatch } from "./fixtures.ts";

const ESCAPED = "&lt;img src=x onerror=&quot;document.title='owned'&quot;&gt; &amp; more";

/** Server-Sent Events as they come: the name and the data of each. */
async function* eventsOf(url: string): AsyncGenerator<{ name: string; data: string }> {
  const response = await fetch(`${url}events`);
  assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
  let rest = "";
  for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
    const messages = (rest + text).split("\n\n");
    rest = messages.pop()!;
    for (const message of messages) {
      const [, name, data] = /^event: (\w+)\ndata: ?(.*)$/m.exec(message) ?? [];
      if (name !== undefined) yield { name, data: data! };
    }
  }
}

/** Sends a request as it stands; fetch would not send another host. */
async function raw(url: string, head: string): Promise<string> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(new URL(url).port) });
  await connection.write(new TextEncoder().encode(`${head}\r\nConnection: close\r\n\r\n`));
  return await new Response(connection.readable).text();
}

Deno.test("the page has the runs, their progress and failures, and every text in it is escaped", () =>
  withFolder((out) =>
    withWatch({ out }, async (watch) => {
      for (const event of [{ type: "started", run: FP } as const, progressOf(FP, 42), epochOf(FP, 1, 61.5)]) {
        watch.onEvent(event);
      }
      watch.onEvent(failureOf(LSQ));
      watch.onEvent({ type: "elsewhere", run: OTHER, holder: { host: HOSTILE, pid: 7, isHere: true } });
      watch.follow(() => ({ ended: 1, runs: 3, fraction: 0.339, etaSeconds: 90 }));
      const response = await fetch(watch.url), html = await response.text();
      assert.match(response.headers.get("content-security-policy")!, /^default-src 'none'; script-src 'self'; /);
      assert.match(html, /<p>1 of 3 runs ended, about 2 min left<\/p>\n<progress max="100" value="33"/);
      assert.match(html, /<p>1 running, 1 failed, 1 elsewhere<\/p>/);
      assert.match(html, /<th scope="row">fp resnet8 seed 0<\/th>.*value="42".* 2\/3<.*>1\.250<.*>64<.*>61\.50</);
      assert.match(html, /<pre tabindex="0"><code>step 7\n&lt;img /);
      assert.match(html, /<h2>Learning curves<\/h2>[^]*<svg role="img"/);
      assert.ok(!html.includes("<img"), html);
      assert.equal(html.split(ESCAPED).length - 1, 5, "title, heading, reason, log and host");
    })
  ));

Deno.test("a browser gets all parts first, then those that changed, and last the end", () =>
  withFolder(async (out) => {
    const seen: { name: string; data: string }[] = [];
    let reading = Promise.resolve();
    await withWatch({ out }, async (watch) => {
      const events = eventsOf(watch.url);
      const first = await events.next();
      const parts = (data: string) => Object.keys(JSON.parse(data));
      assert.deepEqual(parts(first.value!.data), ["progress", "failures", "runs", "curves"]);
      watch.onEvent(progressOf(FP, 10));
      watch.onEvent(progressOf(FP, 20));
      const second = (await events.next()).value!;
      assert.deepEqual(parts(second.data), ["progress", "runs"]);
      assert.match(JSON.parse(second.data).runs, /value="20"/);
      watch.onEvent(epochOf(FP, 1, 50));
      assert.deepEqual(parts((await events.next()).value!.data), ["runs", "curves"]);
      watch.onEvent(endOf(FP));
      reading = (async () => {
        for await (const event of events) seen.push(event);
      })();
    });
    await reading;
    assert.equal(seen.at(-1)!.name, "end");
    assert.match(JSON.parse(seen.at(-2)!.data).progress, /1 done/);
  }));

Deno.test("a reader that goes away, and one that takes nothing, end nothing", () =>
  withFolder(async (out) => {
    let deaf: Response | null = null;
    await withWatch({ out }, async (watch) => {
      const leaving = new AbortController();
      const gone = await fetch(`${watch.url}events`, { signal: leaving.signal });
      await gone.body!.getReader().read();
      deaf = await fetch(`${watch.url}events`);
      leaving.abort();
      watch.onEvent(progressOf(FP, 19));
      assert.match(await (await fetch(watch.url)).text(), /value="19"/);
    });
    await deaf!.body!.cancel();
  }));

Deno.test("the server answers no other host name, changes nothing and has no other file", () =>
  withFolder((out) =>
    withWatch({ out }, async (watch) => {
      const statusOf = async (head: string) => /^HTTP\/1\.1 (\d+)/.exec(await raw(watch.url, head))?.[1];
      assert.equal(await statusOf("GET / HTTP/1.1\r\nHost: localhost"), "200");
      assert.equal(await statusOf("GET / HTTP/1.1\r\nHost: rebound.example"), "403");
      assert.equal(await statusOf("GET /events HTTP/1.1\r\nHost: rebound.example:80"), "403");
      assert.equal(await statusOf("GET /runs/../../etc/passwd HTTP/1.1\r\nHost: localhost"), "404");
      assert.equal(await statusOf("GET /site/index.html HTTP/1.1\r\nHost: localhost"), "404");
      assert.equal(await statusOf(`GET /runs/${"0".repeat(16)}/log.txt HTTP/1.1\r\nHost: localhost`), "404");
      for (const method of ["POST", "PUT", "DELETE"]) {
        const response = await fetch(watch.url, { method });
        assert.deepEqual([response.status, await response.text()], [
          405,
          "Cannot change anything here: the page is read-only\n",
        ]);
      }
      assert.deepEqual([...Deno.readDirSync(out)], [], "nothing is written");
    })
  ));

Deno.test("the log of a run is text, and of a long one the end is shown", () =>
  withFolder((out) =>
    withWatch({ out }, async (watch) => {
      const path = logFile(out, FP.id);
      Deno.mkdirSync(dirname(path), { recursive: true });
      Deno.writeTextFileSync(path, `first\n${"x".repeat(300_000)}\n${HOSTILE}\n`);
      assert.deepEqual(runIds(out), [FP.id]);
      const response = await fetch(`${watch.url}runs/${FP.id}/log.txt`), text = await response.text();
      assert.equal(response.headers.get("content-type"), "text/plain; charset=utf-8");
      assert.equal(text.length, 200_000);
      assert.ok(text.endsWith(`${HOSTILE}\n`));
    })
  ));

Deno.test("the report on the finished runs is rendered when it is asked for, and anew when a run has ended", () =>
  withFolder(async (out) => {
    const asked: number[] = [];
    const report = (records: readonly unknown[]) => {
      asked.push(records.length);
      return Promise.resolve([{ path: "site/index.html", text: `<p>${records.length} records</p>` }]);
    };
    await withWatch({ out, report }, async (watch) => {
      const text = async () => await (await fetch(`${watch.url}site/index.html`)).text();
      assert.deepEqual([await text(), await text()], ["<p>0 records</p>", "<p>0 records</p>"]);
      watch.onEvent(endOf(FP));
      assert.equal(await text(), "<p>1 records</p>");
      assert.deepEqual(asked, [0, 1]);
      const missing = await fetch(`${watch.url}site/other.html`);
      assert.deepEqual([missing.status, await missing.text()], [404, `Cannot find this page: open ${watch.url}\n`]);
    });
  }));

Deno.test("a report that fails is rendered again at the next request", () =>
  withFolder(async (out) => {
    let fails = true;
    const report = () =>
      fails
        ? Promise.reject(new Error("no room"))
        : Promise.resolve([{ path: "site/index.html", text: "<p>there</p>" }]);
    await withWatch({ out, report }, async (watch) => {
      const answer = async () => {
        const response = await fetch(`${watch.url}site/index.html`);
        return [response.status, await response.text()];
      };
      assert.equal((await answer())[0], 500);
      fails = false;
      assert.deepEqual(await answer(), [200, "<p>there</p>"]);
    });
  }));

Deno.test("an address that cannot be used is refused in one sentence", () =>
  withFolder((out) =>
    withWatch({ out }, async (watch) => {
      const port = Number(new URL(watch.url).port), options = { title: "", out, runs: [], finished: new Map() };
      assert.throws(() => openWatch({ hostname: "127.0.0.1", port }, options), {
        name: "InputError",
        message: `Cannot show the runs on 127.0.0.1:${port} as that port is in use: give another, --watch ${port + 1}`,
      });
      assert.throws(() => openWatch({ hostname: "192.0.2.1", port: 8642 }, options), {
        name: "InputError",
        message:
          /^Cannot show the runs on 192\.0\.2\.1:8642: .*\. Give an address of this machine, such as --watch 8642$/,
      });
      await Promise.resolve();
    })
  ));

Deno.test("a worker's runs come with their events", () =>
  withFolder((out) =>
    withWatch({ out, runs: [] }, async (watch) => {
      assert.match(await (await fetch(watch.url)).text(), /<p>No run yet<\/p>/);
      watch.onEvent({ type: "started", run: FP });
      watch.onEvent({ type: "retried", run: FP, reason: "it fell" });
      watch.onEvent({ type: "ended", run: FP, record: null });
      assert.match(await (await fetch(watch.url)).text(), /1 stopped.*[^]*<br><small>tried again: it fell<\/small>/);
    })
  ));
