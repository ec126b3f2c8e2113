import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stream } from "../../src/random/stream.ts";
import { runId, type RunSpec } from "../../src/record/spec.ts";
import { checkpointFile, readRecord } from "../../src/store/store.ts";
import { readCheckpoint } from "../../src/checkpoint/checkpoint.ts";
import { withFolder } from "../support/fakes/specs.ts";
import { tinySpec } from "../support/runs.ts";
import { times } from "./grid.ts";
import { withoutTimings } from "./records.ts";

const KILLS = times(3, 100);
/** Four steps each: long enough that kills fall everywhere between the start of a process and its record. */
const EPOCHS = times(3, 40);
/** From one kill to the next, at most. */
const MOST_MS = 3000;

function specs(): RunSpec[] {
  const recipe = { ...tinySpec("fp").recipe, epochs: EPOCHS };
  const teacher = tinySpec("fp", { recipe });
  return [teacher, ...["qat", "cr"].map((method) => tinySpec(method, { recipe, teacher: runId(teacher) }))];
}

function startPool(out: string): Deno.ChildProcess {
  const main = fileURLToPath(new URL("./fakes/tiny_pool_main.ts", import.meta.url));
  const file = join(out, "specs.json");
  Deno.mkdirSync(out, { recursive: true });
  Deno.writeTextFileSync(file, JSON.stringify(specs()));
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-check", main, file, out],
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
}

/** Processes of runs, as schedulers name them; some may have ended. */
function childrenOf(out: string): number[] {
  try {
    return [...Deno.readDirSync(join(out, "schedulers"))].flatMap(({ name }) => {
      const text = Deno.readTextFileSync(join(out, "schedulers", name));
      return text === "" ? [] : Object.values<number>(JSON.parse(text).children);
    });
  } catch {
    return [];
  }
}

function kill(pid: number): boolean {
  try {
    Deno.kill(pid, "SIGKILL");
    return true;
  } catch {
    return false;
  }
}

/** All that must be equal: records save timings, and the networks that they end with. */
async function resultOf(out: string) {
  return await Promise.all(
    specs().map(async (spec) => ({
      record: withoutTimings(readRecord(out, runId(spec))!),
      tensors: (await readCheckpoint(checkpointFile(out, runId(spec))))!.tensors,
    })),
  );
}

Deno.test(`a grid of tiny runs ends with the records of an undisturbed one after ${KILLS} SIGKILLs`, () =>
  withFolder(async (folder) => {
    const [calm, shaken] = [join(folder, "calm"), join(folder, "shaken")];
    assert.equal((await startPool(calm).status).code, 0);
    const draws = stream({ seed: KILLS, purpose: "synthetic" });
    let [pool, kills, restarts] = [startPool(shaken), 0, 0];
    let over = false;
    function watch(): void {
      const watched = pool;
      over = false;
      void pool.status.then(() => void (over ||= watched === pool));
    }
    watch();
    while (kills < KILLS) {
      await new Promise((resolve) => setTimeout(resolve, draws.uniform() * MOST_MS));
      // One in four: the scheduler itself; else the process of one of its runs.
      const children = childrenOf(shaken);
      if (draws.uniform() < 0.25 || children.length === 0) {
        if (!over && kill(pool.pid)) kills += 1;
        await pool.status;
        [pool, restarts] = [startPool(shaken), restarts + 1];
        watch();
      } else if (kill(children[draws.integer(children.length)]!)) kills += 1;
      // All runs were done before the last kill: begin the grid anew, from nothing.
      if (over) {
        assert.deepEqual(await resultOf(shaken), await resultOf(calm));
        Deno.removeSync(shaken, { recursive: true });
        [pool, restarts] = [startPool(shaken), restarts + 1];
        watch();
      }
    }
    const { code } = await pool.status;
    assert.equal(code === 0 || code === 137, true, `code ${code}`);
    assert.equal((await startPool(shaken).status).code, 0);
    assert.deepEqual(await resultOf(shaken), await resultOf(calm));
  }));
