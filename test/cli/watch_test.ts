/** `--watch` of the commands, with fake runs. */
import assert from "node:assert/strict";
import { worker } from "../../src/cli/worker.ts";
import { cli } from "../support/bench_cli.ts";
import { follow, redisTest, TEACHER, until } from "../support/fakes/queue.ts";
import { TEST_TIMES } from "../support/fakes/redis.ts";
import { fakeCommand, traceOf, withFolder } from "../support/fakes/specs.ts";

/** A listener of stderr that gives the address of the page when it is said. */
function listener(): { text: string; stderr: (text: string) => void; readonly url: Promise<string> } {
  let say = (_url: string) => {};
  const url = new Promise<string>((resolve) => void (say = resolve));
  return {
    text: "",
    url,
    stderr(text) {
      this.text += text;
      const found = /^The runs are shown at (\S+\/)/m.exec(this.text)?.[1];
      if (found !== undefined) say(found);
    },
  };
}

Deno.test("bench --watch serves its page while runs run, in no file, and frees the port", () =>
  withFolder(async (out) => {
    const heard = listener();
    const args = ["--paper", "mec", "--out", out, "--watch", "0"];
    const running = cli(args, { command: () => fakeCommand(["mec=throw"]), stderr: (text) => heard.stderr(text) });
    const url = await heard.url;
    assert.match(await (await fetch(url)).text(), /<h1>MEC-Quant: protocol smoke<\/h1>/);
    const parts = (await (await fetch(`${url}events`)).text()).split("\n\n"); // ends with the command
    assert.equal((await running).code, 1, "mec failed");
    assert.equal(parts.at(-2), "event: end\ndata:");
    assert.match(parts.at(-3)!, /2 done.*the fake trainer threw/);
    assert.deepEqual([...Deno.readDirSync(out)].map(({ name }) => name).sort(), [
      "reports",
      "runs",
      "schedulers",
      "trace.txt",
    ]);
    Deno.listen({ hostname: "127.0.0.1", port: Number(new URL(url).port) }).close();
  }));

Deno.test("bench --watch on a port in use ends with one sentence, and nothing has run", () =>
  withFolder(async (out) => {
    const other = Deno.listen({ hostname: "127.0.0.1", port: 0 }), { port } = other.addr;
    const { code, stderr } = await cli(["--paper", "mec", "--out", out, "--watch", String(port)]);
    other.close();
    assert.equal(code, 2);
    assert.equal(
      stderr.split("\n").slice(1).join("\n"),
      `Cannot show the runs on 127.0.0.1:${port} as that port is in use: give another, --watch ${port + 1}\n`,
    );
    assert.deepEqual(traceOf(out), []);
  }));

Deno.test("bench --watch of a plan that is done serves nothing", () =>
  withFolder(async (out) => {
    assert.equal((await cli(["--paper", "mec", "--out", out])).code, 0);
    const again = await cli(["--paper", "mec", "--out", out, "--watch"]);
    assert.equal(again.code, 0);
    assert.ok(!again.stderr.includes("The runs are shown"), again.stderr);
  }));

redisTest("worker --watch shows the runs that it takes, and says who can read an open address", async (redis, out) => {
  const heard = listener(), stop = new AbortController(), never = new AbortController().signal;
  const { outcome } = follow([TEACHER], { redis, out });
  const args = ["--queue", redis.url, "--out", out, "--engine", "wasm", "--watch", "0.0.0.0:0"];
  const working = worker(args, {
    resolveEngine: () => Promise.resolve("wasm"),
    prepareDataset: () => Promise.resolve(),
    command: () => fakeCommand(),
    cores: 1,
    listenForInterrupts: () => ({ stop: stop.signal, kill: never, dispose: () => {} }),
    stdout() {},
    stderr: (text) => heard.stderr(text),
    times: TEST_TIMES,
  });
  const url = await heard.url;
  assert.match(heard.text, /^The runs are shown at http:\/\/localhost:\d+\/, for everyone who reaches this machine$/m);
  await outcome;
  await until(() => /^fp resnet8 seed 0: done/m.test(heard.text), "the end of the run");
  const html = await (await fetch(url)).text();
  assert.match(html, /<h1>Worker of redis:\/\/127\.0\.0\.1:\d+, engine wasm<\/h1>/);
  assert.match(html, /fp resnet8 seed 0<\/th><td><span class="state">done/);
  stop.abort();
  assert.equal(await working, 0, heard.text);
});
