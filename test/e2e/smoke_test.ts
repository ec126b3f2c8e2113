/**
 * The main job as a user runs it: `deno task bench` on real CIFAR-10 (fetched through the source chain if it is not cached), on
 * every engine of this machine.
 */
import assert from "node:assert/strict";
import { protocolTitle } from "../../src/catalog/protocol.ts";
import { protocolLabel } from "../../src/record/spec.ts";
import { join, resolve } from "node:path";
import { runRecordSchema } from "../../src/record/record.ts";
import { ENGINES } from "../support/engines.ts";

const ROOT = resolve(import.meta.dirname!, "../..");

interface Bench {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
}

async function bench(...args: string[]): Promise<Bench> {
  const began = performance.now();
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "bench", ...args],
    cwd: ROOT,
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr), seconds: (performance.now() - began) / 1000 };
}

for (const engine of ENGINES) {
  // the three papers on the fast engine; one of them is enough to show that wasm runs the same programs
  const papers = engine === "tensorflow" ? ["mec", "fpq", "cr"] : ["mec"];
  Deno.test(`bench runs the smoke protocol end to end, and a second call runs nothing [${engine}]`, async () => {
    const out = await Deno.makeTempDir({ prefix: "requant-smoke-" });
    for (const paper of papers) {
      const first = await bench("--paper", paper, "--engine", engine, "--out", out);
      assert.equal(first.code, 0, first.stderr);
      assert.match(
        first.stdout,
        /^> \*\*Smoke protocol: this page tests the software and says nothing about the paper\.\*\*/,
      );
      const csv = await Deno.readTextFile(join(out, "reports", `${paper}.csv`));
      assert.match(csv, /^paper,table,dataset,model,method,w_bits,a_bits,variant,protocol,published,mean,sd,n,/);
      const again = await bench("--paper", paper, "--engine", engine, "--out", out, "--json");
      assert.equal(again.code, 0, again.stderr);
      const records = JSON.parse(again.stdout).records.map((record: unknown) => runRecordSchema.parse(record));
      assert.ok(records.length >= 3);
      for (const record of records) {
        assert.equal(record.status, "done");
        assert.equal(record.environment.engine, engine);
        // far above chance (10 %) in so few steps: the images and labels belong together
        assert.ok(record.metrics.top1Percent > 14, `${record.spec.arm}: ${record.metrics.top1Percent} %`);
      }
      const before = first.stdout, third = await bench("--paper", paper, "--engine", engine, "--out", out);
      assert.equal(third.stdout, before);
      const title = protocolTitle(protocolLabel({ protocol: "smoke", engine }));
      assert.ok(third.stderr.includes(`\nProtocol ${title}, 3 of 3 runs done\n`), third.stderr);
    }
    await Deno.remove(out, { recursive: true });
  });
}
