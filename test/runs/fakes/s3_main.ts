/** s3rver in a process of its own: `PORT FOLDER BUCKET`. */
import S3rver from "s3rver";

const [port, directory, name] = Deno.args;
await new S3rver({
  port: Number(port),
  address: "127.0.0.1",
  silent: true,
  directory: directory!,
  configureBuckets: [{ name: name!, configs: [] }],
}).run();
