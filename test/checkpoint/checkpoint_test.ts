import assert from "node:assert/strict";
import { InputError } from "../../src/errors.ts";
import { LostRunError } from "../../src/record/trainer.ts";
import {
  previousCheckpoint,
  readCheckpoint,
  readNewestCheckpoint,
  writeCheckpoint,
} from "../../src/checkpoint/checkpoint.ts";

const CHECKPOINT = {
  tensors: {
    "params/b": { shape: [2, 2], values: Float32Array.of(1, -2, 3.5, 1e-20) },
    "params/a": { shape: [], values: Float32Array.of(7) },
  },
  position: { step: 12, sums: { loss: 0.1 + 0.2 } },
};

async function written(): Promise<string> {
  const path = `${await Deno.makeTempDir()}/checkpoint.safetensors`;
  await writeCheckpoint(path, CHECKPOINT);
  return path;
}

Deno.test("readCheckpoint() gives back what writeCheckpoint() wrote, to the last bit", async () => {
  const read = await readCheckpoint<typeof CHECKPOINT.position>(await written());
  assert.deepEqual(read!.tensors, CHECKPOINT.tensors);
  assert.deepEqual(read!.position, CHECKPOINT.position);
});

Deno.test("writeCheckpoint() writes the same bytes for the same checkpoint, and leaves no temporary file", async () => {
  const [a, b] = [await written(), await written()];
  assert.deepEqual(await Deno.readFile(a), await Deno.readFile(b));
  const names = [...Deno.readDirSync(a.slice(0, a.lastIndexOf("/")))].map(({ name }) => name);
  assert.deepEqual(names, ["checkpoint.safetensors"]);
});

Deno.test("writeCheckpoint() follows the safetensors layout", async () => {
  const bytes = await Deno.readFile(await written());
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  assert.equal(length % 8, 0);
  assert.deepEqual(header["params/a"], { dtype: "F32", shape: [], data_offsets: [0, 4] });
  assert.deepEqual(header["params/b"], { dtype: "F32", shape: [2, 2], data_offsets: [4, 20] });
  assert.equal(bytes.length, 8 + length + 20);
});

Deno.test("readCheckpoint() gives null where there is no file", async () => {
  assert.equal(await readCheckpoint("/nonexistent/checkpoint.safetensors"), null);
});

Deno.test("readCheckpoint() refuses a file cut at any length, in one sentence", async () => {
  const path = await written(), bytes = await Deno.readFile(path);
  for (let length = 0; length < bytes.length; length += 7) {
    await Deno.writeFile(path, bytes.subarray(0, length));
    await assert.rejects(() => readCheckpoint(path), (error: Error) => {
      assert.ok(error instanceof InputError);
      assert.match(
        error.message,
        /^Cannot read the checkpoint ".*" as it.*: restore that file, or make it again$/,
      );
      return true;
    });
  }
});

Deno.test("readCheckpoint() refuses a file with any one byte flipped", async () => {
  const path = await written(), bytes = await Deno.readFile(path);
  for (let i = 0; i < bytes.length; i++) {
    const damaged = bytes.slice();
    damaged[i]! ^= 0x10;
    await Deno.writeFile(path, damaged);
    await assert.rejects(() => readCheckpoint(path), InputError, `byte ${i}`);
  }
});

Deno.test("readCheckpoint() names a schema that it does not know", async () => {
  const path = await written();
  const header = JSON.stringify({ "__metadata__": { schema: "other" } });
  const bytes = new Uint8Array(8 + header.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
  bytes.set(new TextEncoder().encode(header), 8);
  await Deno.writeFile(path, bytes);
  await assert.rejects(() => readCheckpoint(path), {
    message:
      `Cannot read the checkpoint "${path}" as its schema must be "requant-checkpoint-1": current value is "other": ` +
      "restore that file, or make it again",
  });
});

/** A folder with two checkpoints, of steps 1 and 2. */
async function twoCheckpoints(): Promise<{ path: string; previous: string; names: () => string[] }> {
  const folder = await Deno.makeTempDir(), path = `${folder}/checkpoint.safetensors`;
  for (const step of [1, 2]) await writeCheckpoint(path, { ...CHECKPOINT, position: { step } });
  return {
    path,
    previous: previousCheckpoint(path),
    names: () => [...Deno.readDirSync(folder)].map(({ name }) => name).sort(),
  };
}

async function damage(path: string): Promise<void> {
  const bytes = await Deno.readFile(path);
  bytes[bytes.length - 1]! ^= 1;
  await Deno.writeFile(path, bytes);
}

Deno.test("writeCheckpoint() keeps two: the newest and the one before it", async () => {
  const { path, previous, names } = await twoCheckpoints();
  assert.deepEqual(names(), ["checkpoint.previous.safetensors", "checkpoint.safetensors"]);
  const steps = [path, previous].map(async (file) => (await readCheckpoint<{ step: number }>(file))!.position.step);
  assert.deepEqual(await Promise.all(steps), [2, 1]);
});

Deno.test("readNewestCheckpoint() goes on from the one before a damaged one, says so and sets the damaged aside", async () => {
  const { path, names } = await twoCheckpoints(), said: string[] = [];
  await damage(path);
  const read = await readNewestCheckpoint<{ step: number }>(path, (line) => said.push(line));
  assert.equal(read!.position.step, 1);
  assert.deepEqual(said, [
    `Cannot read the checkpoint "${path}" as its bytes do not have the checksum that it states: resuming from the one ` +
    "before it",
  ]);
  assert.deepEqual(names(), ["checkpoint.damaged.safetensors", "checkpoint.previous.safetensors"]);
  // The next one must not push a damaged file into the place of the only whole one.
  await writeCheckpoint(path, { ...CHECKPOINT, position: { step: 3 } });
  await damage(path);
  assert.equal((await readNewestCheckpoint<{ step: number }>(path))!.position.step, 1);
});

Deno.test("readNewestCheckpoint() takes the previous one where a kill came between the two renames", async () => {
  const { path } = await twoCheckpoints();
  await Deno.remove(path);
  assert.equal((await readNewestCheckpoint<{ step: number }>(path))!.position.step, 1);
});

Deno.test("only a run that goes on is told to delete a damaged checkpoint, as others need the network in it", async () => {
  const path = await written(),
    why = `Cannot read the checkpoint "${path}" as its bytes do not have the checksum that it states`;
  await damage(path);
  await assert.rejects(() => readCheckpoint(path, "restore that file"), { message: `${why}: restore that file` });
  await assert.rejects(() => readNewestCheckpoint(path), {
    name: "InputError",
    message: `${why}: delete it to start that run from its beginning`,
  });
});

Deno.test("readNewestCheckpoint() refuses two damaged ones in one sentence", async () => {
  const { path, previous } = await twoCheckpoints();
  await Promise.all([path, previous].map(damage));
  await assert.rejects(() => readNewestCheckpoint(path), {
    name: "InputError",
    message: `Cannot resume from "${path}" or from "${previous}" as both are damaged: delete both to start that run ` +
      "from its beginning",
  });
});

Deno.test("writeCheckpoint() says that a folder cannot be written and leaves the old checkpoint", async () => {
  const { path, names } = await twoCheckpoints(), before = names();
  await Deno.remove(previousCheckpoint(path));
  await Deno.mkdir(`${previousCheckpoint(path)}/full`, { recursive: true });
  await assert.rejects(() => writeCheckpoint(path, CHECKPOINT), {
    name: "InputError",
    message: /^Cannot write the checkpoint ".*" as .*: make the folder writable, with space for two checkpoints, and/,
  });
  assert.deepEqual(names(), before);
  assert.equal((await readCheckpoint<{ step: number }>(path))!.position.step, 2);
});

Deno.test("a checkpoint that is a folder, a pipe or may not be read is refused, and never waited for", async () => {
  const root = await Deno.makeTempDir();
  const places: Record<string, (path: string) => Promise<unknown>> = {
    "it is a folder": (path) => Deno.mkdir(path),
    "it is a pipe or a device": (path) => new Deno.Command("mkfifo", { args: [path] }).output(),
    "it is a link": (path) => Deno.symlink(path, path),
  };
  for (const [i, [why, place]] of Object.entries(places).entries()) {
    const path = `${root}/${i}.safetensors`;
    await place(path);
    const said: string[] = [];
    await assert.rejects(() => readCheckpoint(path), {
      name: "InputError",
      message: new RegExp(`^Cannot read the checkpoint ".*" as .*(${why}).*: restore that file, or make it again$`),
    });
    await writeCheckpoint(previousCheckpoint(path), CHECKPOINT, { keepPrevious: false });
    assert.deepEqual((await readNewestCheckpoint(path, (line) => said.push(line)))!.tensors, CHECKPOINT.tensors);
    assert.match(said.join(), new RegExp(`(${why}).*: resuming from the one before it$`));
    // what was in the way is set aside
    await writeCheckpoint(path, CHECKPOINT);
    assert.deepEqual((await readCheckpoint<typeof CHECKPOINT.position>(path))!.position, CHECKPOINT.position);
  }
});

Deno.test("writeCheckpoint() never replaces one of more steps of the same run, and keeps both where it is refused", async () => {
  const { path, previous, names } = await twoCheckpoints();
  const at = (runId: string, step: number) => ({ ...CHECKPOINT, position: { runId, step } });
  await writeCheckpoint(path, at("a", 9));
  const before = names();
  await assert.rejects(() => writeCheckpoint(path, at("a", 8)), {
    name: "LostRunError",
    message: "Cannot write to run a as its checkpoint is of step 9, and step 8 would replace it: nothing was written",
  });
  const beforeWrite = () => {
    throw new LostRunError("a");
  };
  await assert.rejects(() => writeCheckpoint(path, at("a", 10), { beforeWrite }), LostRunError);
  assert.deepEqual(names(), before);
  const steps = [path, previous].map(async (file) => (await readCheckpoint<{ step: number }>(file))!.position.step);
  assert.deepEqual(await Promise.all(steps), [9, 2]);
  // the same steps again, another run, and one in place of a damaged one are no steps back
  await writeCheckpoint(path, at("a", 9));
  await writeCheckpoint(path, at("b", 1));
  await damage(path);
  await writeCheckpoint(path, at("b", 2));
  assert.equal((await readCheckpoint<{ step: number }>(path))!.position.step, 2);
});
