import { dirname, join } from "node:path";
import { runFolder } from "../../src/store/store.ts";

/** Locks a run as a scheduler did before this machine was started again. @returns A function that gives its n-th sign of life. */
export function lockBefore(out: string, id: string): (n: number) => void {
  const owner = crypto.randomUUID(), common = { schema: 1, pid: 4242, place: "an-earlier-boot pid:[1]" };
  const beat = join(out, "schedulers", `${owner}.json`);
  const live = (n: number) => Deno.writeTextFileSync(beat, JSON.stringify({ ...common, beat: n, children: {} }));
  for (const folder of [dirname(beat), runFolder(out, id)]) Deno.mkdirSync(folder, { recursive: true });
  live(0);
  const lock = { ...common, nonce: "n", owner, host: "this", queue: null };
  Deno.writeTextFileSync(join(runFolder(out, id), "lock.json"), JSON.stringify(lock));
  return live;
}
