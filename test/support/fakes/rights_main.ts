/** Tries what the process of a run should and should not be able to do: `OUT`; prints each try's outcome as JSON. */
import process from "node:process";

const out = Deno.args[0]!;
const git = new Deno.Command("git", { args: ["--version"], stdout: "null" });
const shell = new Deno.Command("sh", { args: ["-c", "true"], stdout: "null" });

const TRIES: Readonly<Record<string, () => unknown>> = {
  writeInside: () => Deno.writeTextFileSync(`${out}/file`, "x"),
  readInside: () => Deno.readTextFileSync(`${out}/file`),
  git: () => git.outputSync(), // would run any shell command as an alias of its own
  writeBeside: () => Deno.writeTextFileSync(`${out}/../file`, "x"),
  writeSource: () => Deno.writeTextFileSync(new URL("./never.ts", import.meta.url), "x"),
  readPasswords: () => Deno.readTextFileSync("/etc/passwd"),
  connect: () => Deno.connect({ hostname: "127.0.0.1", port: 9 }),
  shell: () => shell.outputSync(),
  nativeCode: () => Deno.UnsafePointer.create(8n),
};

const outcomes: Record<string, string> = {};
for (const [name, attempt] of Object.entries(TRIES)) {
  try {
    await attempt();
    outcomes[name] = "done";
  } catch (error) {
    outcomes[name] = error instanceof Deno.errors.NotCapable ? "refused" : String(error);
  }
}
process.stdout.write(JSON.stringify(outcomes));
