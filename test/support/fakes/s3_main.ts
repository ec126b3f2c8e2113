/** s3rver in a process of its own: `PORT FOLDER BUCKET`. */
// Named here and not in deno.json, so that those who run no tests install nothing of it.
// deno-lint-ignore no-import-prefix
import S3rver from "npm:s3rver@3.7.1";

const [port, directory, name] = Deno.args;
await new S3rver({
  port: Number(port),
  address: "127.0.0.1",
  silent: true,
  directory: directory!,
  configureBuckets: [{ name: name!, configs: [] }],
}).run();
