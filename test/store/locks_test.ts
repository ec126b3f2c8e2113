import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { holderOf, type Locks, openLocks, thisPlace } from "../../src/store/locks.ts";
import { runFolder } from "../../src/store/store.ts";
import { withFolder } from "../support/fakes/specs.ts";

const ID = "0123456789abcdef";
const TIMES = { beatMs: 30, staleMs: 400, lookMs: 20 };

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Tries until the run is had; the milliseconds that it took. */
async function takeWhenFree(locks: Locks, id = ID): Promise<number> {
  const began = performance.now();
  while (locks.take(id) !== "taken") {
    assert.ok(performance.now() - began < 20_000, "it was never free");
    await sleep(TIMES.lookMs);
  }
  return performance.now() - began;
}

function lockPath(out: string): string {
  return join(runFolder(out, ID), "lock.json");
}

/** A lock of an owner of whom nothing is known but its lock. */
function foreignLock(out: string, changes: Record<string, unknown> = {}): string {
  Deno.mkdirSync(runFolder(out, ID), { recursive: true });
  const owner = "00000000-0000-4000-8000-000000000000";
  const text = JSON.stringify(
    { schema: 1, nonce: "n", owner, host: "elsewhere", pid: 7, place: "another machine", queue: null, ...changes },
  );
  Deno.writeTextFileSync(lockPath(out), text);
  return owner;
}

Deno.test("openLocks() gives a run to one scheduler, names it to the other, and to the other when it is given back", () =>
  withFolder((out) => {
    const [a, b] = [openLocks(out, { times: TIMES }), openLocks(out, { times: TIMES })];
    assert.equal(a.take(ID), "taken");
    assert.equal((b.take(ID) as { pid: number }).pid, Deno.pid);
    a.release(ID);
    assert.equal(b.take(ID), "taken");
    a.release(ID);
    assert.ok(holderOf(out, ID) !== null, "a gave back what it no longer had");
    b.close();
    assert.equal(holderOf(out, ID), null);
    a.close();
    assert.deepEqual([...Deno.readDirSync(join(out, "schedulers"))], []);
    assert.deepEqual([...Deno.readDirSync(runFolder(out, ID))], []);
  }));

Deno.test("a scheduler that gives signs of life keeps its run for longer than the stale time", () =>
  withFolder(async (out) => {
    const [a, b] = [openLocks(out, { times: TIMES }), openLocks(out, { times: TIMES })];
    assert.equal(a.take(ID), "taken");
    for (let waited = 0; waited < 3 * TIMES.staleMs; waited += 50) {
      assert.notEqual(b.take(ID), "taken");
      await sleep(50);
    }
    a.close();
    b.close();
  }));

Deno.test("a lock whose owner gives no sign of life is taken over after the stale time and not before", () =>
  withFolder(async (out) => {
    foreignLock(out);
    const locks = openLocks(out, { times: TIMES });
    assert.deepEqual(locks.take(ID), { host: "elsewhere", pid: 7, isHere: false });
    const waited = await takeWhenFree(locks);
    assert.ok(waited >= TIMES.staleMs * 0.9, `${waited} ms`);
    locks.close();
  }));

Deno.test("clocks set back or far ahead, and times of files, change nothing about locks", () =>
  withFolder(async (out) => {
    const owner = foreignLock(out);
    const beats = join(out, "schedulers", `${owner}.json`);
    const locks = openLocks(out, { times: TIMES });
    let beat = 0;
    // The owner's clock stands in 1970 or in 2099; its counter goes on.
    for (let waited = 0; waited < 2 * TIMES.staleMs; waited += 50) {
      Deno.writeTextFileSync(beats, JSON.stringify({ schema: 1, pid: 7, place: null, beat: beat++, children: {} }));
      const when = beat % 2 === 0 ? new Date(0) : new Date("2099-01-01");
      for (const path of [beats, lockPath(out)]) Deno.utimeSync(path, when, when);
      assert.notEqual(locks.take(ID), "taken");
      await sleep(50);
    }
    // Its counter stands still; the time of its file goes on.
    const [realNow, began] = [Date.now, performance.now()];
    try {
      Date.now = () => 0;
      while (locks.take(ID) !== "taken") {
        assert.ok(performance.now() - began < 20_000);
        Deno.utimeSync(beats, new Date("2099-01-01"), new Date("2099-01-01"));
        await sleep(TIMES.lookMs);
      }
    } finally {
      Date.now = realNow;
    }
    assert.ok(performance.now() - began >= TIMES.staleMs * 0.5);
    locks.close();
  }));

Deno.test("a lock cut by a crash of its owner is taken over after the stale time", () =>
  withFolder(async (out) => {
    foreignLock(out);
    Deno.writeTextFileSync(lockPath(out), '{"sche');
    const locks = openLocks(out, { times: TIMES });
    assert.ok(await takeWhenFree(locks) >= TIMES.staleMs * 0.9);
    locks.close();
  }));

Deno.test("of many schedulers that find the same dead owner exactly one takes the run over", () =>
  withFolder(async (out) => {
    foreignLock(out);
    const all = Array.from({ length: 8 }, () => openLocks(out, { times: TIMES }));
    let taken = 0;
    const until = performance.now() + 3 * TIMES.staleMs;
    await Promise.all(all.map(async (locks) => {
      while (performance.now() < until) {
        if (locks.take(ID) === "taken") {
          taken += 1;
          return;
        }
        await sleep(Math.random() * 10);
      }
    }));
    assert.equal(taken, 1);
    all.forEach((locks) => locks.close());
  }));

Deno.test("a takeover whose taker died half-way is taken over itself", () =>
  withFolder(async (out) => {
    foreignLock(out);
    const hash = createHash("sha256").update(Deno.readTextFileSync(lockPath(out))).digest("hex").slice(0, 12);
    Deno.writeTextFileSync(join(runFolder(out, ID), `lock.${hash}.0.claim`), "dead");
    const locks = openLocks(out, { times: TIMES });
    assert.ok(await takeWhenFree(locks) >= 2 * TIMES.staleMs * 0.9);
    assert.deepEqual([...Deno.readDirSync(runFolder(out, ID))].map(({ name }) => name), ["lock.json"]);
    locks.close();
  }));

Deno.test("a scheduler is told when its run was taken over", () =>
  withFolder(async (out) => {
    const lost: string[] = [];
    const locks = openLocks(out, { times: TIMES, onLost: (id) => void lost.push(id) });
    assert.equal(locks.take(ID), "taken");
    foreignLock(out);
    await sleep(4 * TIMES.beatMs);
    assert.deepEqual(lost, [ID]);
    locks.close();
    assert.equal(holderOf(out, ID)!.host, "elsewhere");
  }));

Deno.test("workers of one queue take each other's runs at once, as the queue has given them", () =>
  withFolder((out) => {
    foreignLock(out, { queue: "requant-1" });
    const [other, same] = ["requant-2", "requant-1"].map((queue) => openLocks(out, { times: TIMES, queue }));
    assert.notEqual(other!.take(ID), "taken");
    assert.equal(same!.take(ID), "taken");
    [other!, same!].forEach((locks) => locks.close());
  }));

/** A process that has ended. */
async function deadPid(): Promise<number> {
  const child = new Deno.Command(Deno.execPath(), { args: ["--version"], stdout: "null" }).spawn();
  await child.status;
  return child.pid;
}

Deno.test({
  name: "a killed scheduler of this machine is known for dead at once, but not while the process of its run lives on",
  ignore: thisPlace() === null,
  fn: () =>
    withFolder(async (out) => {
      const pid = await deadPid();
      const owner = foreignLock(out, { pid, place: thisPlace() });
      const life = { schema: 1, pid, place: thisPlace(), beat: 3, children: { [ID]: Deno.pid } };
      Deno.mkdirSync(join(out, "schedulers"));
      const path = join(out, "schedulers", `${owner}.json`);
      Deno.writeTextFileSync(path, JSON.stringify(life));
      const locks = openLocks(out, { times: { ...TIMES, staleMs: 60_000 } });
      assert.notEqual(locks.take(ID), "taken");
      Deno.writeTextFileSync(path, JSON.stringify({ ...life, children: { [ID]: pid } }));
      assert.equal(locks.take(ID), "taken");
      locks.close();
      openLocks(out, { times: TIMES }).close();
      assert.deepEqual([...Deno.readDirSync(join(out, "schedulers"))], [], "its signs of life are gone");
    }),
});
