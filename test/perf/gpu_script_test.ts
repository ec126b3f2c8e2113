import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import { withFolder } from "../support/fakes/specs.ts";

const ROOT = resolve(import.meta.dirname!, "../..");

/** A deno that writes down its arguments, makes what each command makes, and fails where `broken` names a step. */
const FAKE = `#!/bin/sh
echo "$*" >> "$LOG"
out= last=
for word in "$@"; do [ "$last" = --out ] && out=$word; last=$word; done
case "$out" in *"$BROKEN") [ -n "$BROKEN" ] && exit 1 ;; esac
case "$2" in
  bench) mkdir -p "$out/runs/a"; printf '"networkSha256":"%s"' "$BYTES" > "$out/runs/a/record.json" ;;
  dev:peer) mkdir -p "$out"; : > "$out/peers_gpu_imitated.md"; exit 1 ;; # losses that differ
esac
`;

interface Call {
  readonly code: number;
  readonly said: string;
  readonly steps: readonly string[];
}

Deno.test({
  name: "perf/gpu.sh runs each step once, continues with what is left, and gathers the results",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    withFolder(async (folder) => {
      const bin = join(folder, "bin"), log = join(folder, "log"), out = join(folder, "gpu");
      Deno.mkdirSync(bin);
      Deno.writeTextFileSync(join(bin, "deno"), FAKE, { mode: 0o755 });
      async function call(args: readonly string[], env: Record<string, string> = {}): Promise<Call> {
        Deno.writeTextFileSync(log, "");
        const { code, stderr } = await new Deno.Command(join(ROOT, "perf/gpu.sh"), {
          args: [...args],
          env: { PATH: `${bin}:${Deno.env.get("PATH")}`, LOG: log, BROKEN: "", BYTES: "ab", ...env },
        }).output();
        const steps = Deno.readTextFileSync(log).trim().split("\n").filter((line) => line !== "");
        return { code, said: new TextDecoder().decode(stderr), steps };
      }
      const none = await call(["--cpu", out], { REQUANT_SECONDS: "0" });
      assert.deepEqual([none.code, none.steps], [1, []]);
      assert.match(none.said, /^10 steps are left: the same command continues; /m);

      const first = await call(["--cpu", out], { BROKEN: "peers_resnet18_fpq_w4a4" });
      assert.equal(first.code, 1);
      assert.equal(first.steps.length, 10);
      assert.match(first.steps[0]!, /^task engine doctor --engine tensorflow --json$/);
      assert.match(first.steps[3]!, /^task bench .*--models resnet8 .*--protocol smoke .*--jobs 2$/);
      assert.match(first.steps[9]!, /^task dev:peer --gpu --imitate --batch 4 --rounds 1 --models resnet18_imagenet /);
      assert.match(first.steps[9]!, new RegExp(`--runs ${out}/bench --out`));
      assert.match(first.said, /^Two runs repeated gave the same bytes$/m);
      assert.match(first.said, /^peers_resnet18_fpq_w4a4: failed or out of time, see /m);

      const second = await call(["--cpu", out], { TORCH_PYTHON: "/my python" });
      assert.equal(second.code, 0);
      assert.deepEqual(second.steps.map((line) => line.replace(/.*--models/, "")), [
        ` resnet18 --arms fpq_w4a4 --runs ${out}/bench --torch /my python --out ${out}/peers_resnet18_fpq_w4a4`,
      ]);
      assert.match(second.said, /^All is measured; send .*gpu\.tgz$/m);
      assert.ok(Deno.statSync(`${out}.tgz`).size > 0);
      assert.deepEqual((await call(["--cpu", out])).steps, []);

      const mixed = await call([out]);
      assert.deepEqual([mixed.code, mixed.steps], [2, []]);
      assert.match(
        mixed.said,
        /^Cannot use .* as its results were made with another choice of --cpu: choose another folder$/m,
      );
      assert.equal(
        (await call(["--gpu"])).said,
        "Cannot use option --gpu as it is not known: choose --cpu, or a folder\n",
      );
    }),
});
