import assert from "node:assert/strict";
import type { PoolEvent } from "../../src/pool/pool.ts";
import { createProgress } from "../../src/pool/progress.ts";
import { describeView } from "../../src/pool/progress_display.ts";
import type { RunRecord } from "../../src/record/record.ts";
import { type PlannedRun, runId, type RunSpec } from "../../src/record/spec.ts";
import { fpSpec, studentSpec } from "../support/fakes/specs.ts";

function planned(spec: RunSpec): PlannedRun {
  return { id: runId(spec), spec };
}

const FP = planned(fpSpec());
const LSQ = planned(studentSpec("lsq", FP.spec));

function progressed(run: PlannedRun, step: number, loss: number | null = 1.5): PoolEvent {
  const message = { type: "progress", epoch: 1, epochs: 1, step, steps: 10, loss, imagesPerSecond: 99.6 } as const;
  return { type: "message", run, message };
}

function ended(run: PlannedRun, record: Partial<RunRecord>): PoolEvent {
  return { type: "ended", run, record: record as RunRecord };
}

function follow(
  terminal: boolean,
): { lines: () => string; clock: { ms: number }; send: (event: PoolEvent) => void; close: () => void } {
  let text = "";
  const clock = { ms: 0 };
  const write = (added: string): void => void (text += added);
  const progress = createProgress([FP, LSQ], { write, terminal, columns: 200, now: () => clock.ms });
  return { lines: () => text, clock, send: progress.onEvent, close: () => progress.close() };
}

Deno.test("createProgress() writes plain lines at most once a minute and one for each run that ended", () => {
  const { lines, clock, send } = follow(false);
  send({ type: "started", run: FP });
  send(progressed(FP, 1));
  assert.equal(lines(), "");
  clock.ms = 60_000;
  send(progressed(FP, 5));
  send(progressed(FP, 6));
  // Half of the first of two equal runs after 60 s: 180 s are left.
  assert.equal(lines(), "0 of 2 runs ended, about 3 min left; fp resnet8 seed 0 epoch 1/1, loss 1.500, 100 images/s\n");
  send(ended(FP, { status: "done", metrics: { top1Percent: 41.234, loss: 1 }, wallSeconds: 65 }));
  send(ended(LSQ, { status: "failed", reason: "it broke" }));
  assert.deepEqual(lines().trim().split("\n").slice(1), [
    "[1/2] fp resnet8 seed 0: done, 41.23 % top-1, 65 s",
    "[2/2] lsq resnet8 W2A4 seed 0: failed: it broke",
  ]);
});

Deno.test("createProgress() draws a bar a running run and one for all on a terminal", () => {
  const { lines, clock, send, close } = follow(true);
  send({ type: "started", run: FP });
  clock.ms = 1000;
  send(progressed(FP, 5, null));
  send(ended(FP, { status: "done", metrics: null, wallSeconds: 1 }));
  send({ type: "started", run: LSQ });
  send(progressed(LSQ, 5));
  close();
  // deno-lint-ignore no-control-regex
  const plain = lines().replace(/\x1b(\[[?0-9;]*[A-Za-z]|[78])/g, "");
  assert.match(plain, /\[1\/2\] fp resnet8 seed 0: done, 1 s\n/);
  assert.match(plain, /█+░+ 75% 1 of 2 runs ended, about 0 s left/);
  assert.match(plain, /█+░+ 50% lsq resnet8 W2A4 seed 0 epoch 1\/1, loss 1\.500, 100 images\/s/);
  // The cursor was hidden and is shown again.
  assert.ok(lines().indexOf("\x1b[?25l") < lines().lastIndexOf("\x1b[?25h"));
});

for (const terminal of [false, true]) {
  Deno.test(`createProgress() shows escapes of arms, reasons and notes, and obeys none (terminal: ${terminal})`, () => {
    const { lines, send, close, clock } = follow(terminal);
    const odd = "\x1b]0;title\x07\x1b[2J\r\u009b31m";
    const run = { ...LSQ, spec: { ...LSQ.spec, arm: `lsq${odd}` } };
    clock.ms = 60_000;
    send({ type: "started", run });
    send(progressed(run, 5));
    send({ type: "retried", run, reason: `first ${odd}` });
    send(ended(run, { status: "failed", reason: `then ${odd}` }));
    close();
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(lines(), /\x1b\]0;|\x1b\[2J\r|\x07|\u009b/);
    for (const shown of ["lsq\\u001b]0;title\\u0007", "first \\u001b]0;", "then \\u001b]0;"]) {
      assert.ok(lines().includes(shown), shown);
    }
  });
}

Deno.test("describeView() never cuts the speed, and leaves out loss, accuracy and parts of the name in turn", () => {
  const view = {
    name: "lsq_asymmetric mobilenetv2_narrow W2A4 seed 2",
    epoch: 3,
    epochs: 20,
    fraction: 0.1,
    loss: 1.2345,
    imagesPerSecond: 46.2,
    top1Percent: 81.5,
    startedMs: 0,
    startFraction: 0,
  };
  const texts = [200, 90, 72, 58, 40, 28, 18].map((width) => {
    const text = describeView(view, width);
    assert.ok(text.length <= width, `${width}: ${text}`);
    return text;
  });
  assert.deepEqual(texts, [
    `${view.name} epoch 3/20, loss 1.234, top-1 81.50 %, 46 images/s`,
    `${view.name} epoch 3/20, top-1 81.50 %, 46 images/s`,
    `${view.name} epoch 3/20, 46 images/s`,
    "lsq_asymmetric mobilenetv2_narrow… epoch 3/20, 46 images/s",
    "lsq_asymmetric… epoch 3/20, 46 images/s",
    "lsq_asymmetric… 46 images/s",
    "lsq_a… 46 images/s",
  ]);
  assert.equal(describeView({ ...view, epoch: 0 }, 24), "lsq_asymmetric… starting");
});

Deno.test("createProgress() holds bars and folds lines within 80 and within 40 columns", () => {
  for (const columns of [80, 40]) {
    let text = "";
    const write = (added: string): void => void (text += added);
    const progress = createProgress([FP, LSQ], { write, terminal: true, columns, now: () => 0 });
    progress.onEvent({ type: "started", run: LSQ });
    progress.onEvent(progressed(LSQ, 5));
    const reason = "x".repeat(200);
    progress.onEvent(ended(FP, { status: "failed", reason }));
    progress.close();
    // deno-lint-ignore no-control-regex
    const lines = text.replace(/\x1b(\[[?0-9;]*[A-Za-z]|[78])/g, "").split(/[\r\n]+/);
    for (const line of lines) assert.ok(line.length <= columns, `${columns}: ${line}`);
    assert.ok(lines.some((line) => line.endsWith("100 images/s")), text);
    assert.ok(lines.join("").includes(reason));
  }
});
