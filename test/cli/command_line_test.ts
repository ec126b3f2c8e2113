import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { unknownValue } from "../../src/errors.ts";
import {
  choice,
  commandLine,
  helpAlone,
  jobsOption,
  limitOptions,
  limitsOf,
  type LimitValues,
  listOf,
  option,
  runCommand,
} from "../../src/cli/command_line.ts";

/** Reads a command line with every kind of option. */
async function read(...args: string[]) {
  const line = commandLine("demo", "Shows every kind of option", ["Exit codes: 3 done"])
    .addOption(choice("--paper <ID>", "the paper", ["mec", "fpq"]).default("mec"))
    .addOption(option("--bits <A,B>", "the bits", listOf("bits")).default(null, "all"))
    .addOption(option("--files <PATH...>", "the files"))
    .addOption(option("--queue <URL>", "the queue"))
    .addOption(jobsOption().excludes(["queue"], "give it to the workers"))
    .addOption(option("--json", "print JSON").excludes(["files"]));
  for (const flag of limitOptions()) line.addOption(flag);
  let stdout = "", stderr = "", values: (LimitValues & Record<string, unknown>) | null = null;
  const output = { stdout: (text: string) => void (stdout += text), stderr: (text: string) => void (stderr += text) };
  const act = (given: LimitValues) => {
    values = { ...given };
    return 3;
  };
  const code = helpAlone(line, args, output) ? 0 : await runCommand(line, args, { output, act });
  return { code, stdout, stderr, values: values as (LimitValues & Record<string, unknown>) | null };
}

Deno.test("runCommand() gives the values, their defaults, and the exit code of the command", async () => {
  const { code, values } = await read("--bits", "W2A2, W4A4,W2A2", "--timeout", "1.5", "--files", "a", "--files=b");
  assert.equal(code, 3);
  assert.deepEqual(values, { paper: "mec", bits: ["W2A2", "W4A4"], jobs: "auto", timeout: 1.5, files: ["a", "b"] });
  assert.deepEqual(limitsOf(values!), { timeoutMs: 90_000, memoryMiB: null });
  assert.deepEqual(limitsOf({ memory: 2000 }), { timeoutMs: null, memoryMiB: 2000 });
});

Deno.test("a command alone prints its help, with choices and defaults; so does --help", async () => {
  const { code, stdout, stderr, values } = await read();
  assert.deepEqual([code, stderr, values], [0, "", null]);
  assert.match(stdout, /^Usage: deno task demo \[options\]\n\nShows every kind of option\n/);
  assert.match(stdout, /^ {2}--paper mec\|fpq +the paper; default: mec$/m);
  assert.match(stdout, /^ {2}--jobs N +runs at once, or auto; default: auto$/m);
  assert.match(stdout, /\n\nExit codes: 3 done\n$/);
  assert.equal((await read("--help")).stdout, stdout);
});

const KNOWN = "--paper, --bits, --files, --queue, --jobs, --json, --timeout, --memory, --help";
const REFUSED: readonly (readonly [args: string, message: string])[] = [
  ["--jsn", `Cannot use option --jsn as it is not known, perhaps --json was meant: choose among ${KNOWN}`],
  ["--seeds=1", `Cannot use option --seeds as it is not known: choose among ${KNOWN}`],
  ["--paper cr", 'Cannot use paper "cr" as it is not known: choose one of mec, fpq'],
  ["--paper --json", "Cannot use --paper without a value: give --paper mec|fpq"],
  ["--paper=", "Cannot use --paper without a value: give --paper mec|fpq"],
  ["--bits", "Cannot use --bits without a value: give --bits A,B"],
  ["--bits W4A4,", 'Cannot use --bits "W4A4," as a value between its commas is empty: leave the comma out'],
  ["--bits A --bits B", "Cannot use --bits twice: give all values in one, separated by commas where it takes several"],
  ["--json=yes", 'Cannot use --json=yes as --json takes no value: leave "=yes" out'],
  ["redis://:secret@box", 'Cannot use "redis://***@box" as it belongs to no option: see --help'],
  ["--queue x --jobs 2", "Cannot use --jobs together with --queue: give it to the workers"],
  ["--json --files a", "Cannot use --json together with --files: leave one out"],
  ...["0", "-1", "1025", "1.5", "x"].map((text) =>
    [
      `--jobs ${text}`,
      `Cannot use --jobs "${text}" as it must be a whole number from 1 to 1024: leave it out for one per core`,
    ] as const
  ),
  ...["0", "-1", "x", "1e3", "Infinity", "1000001"].map((text) =>
    [
      `--timeout ${text}`,
      `Cannot use --timeout "${text}" as it must be a number above 0: give minutes, such as 90`,
    ] as const
  ),
];
for (const [args, message] of REFUSED) {
  Deno.test(`a command line refuses ${args} in one sentence, and does nothing`, async () => {
    const { code, stdout, stderr, values } = await read(...args.split(" "));
    assert.deepEqual([code, stdout, values], [2, "", null]);
    assert.equal(stderr, message + "\n");
  });
}

/** A command as a process. */
async function command(path: string, args: readonly string[]) {
  const main = fileURLToPath(new URL(`../../${path}`, import.meta.url));
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-check", main, ...args],
  }).output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

/** Commands of the maintainers, with something that each says of itself. */
const MAINTAINERS: readonly (readonly [main: string, args: readonly string[], told: string])[] = [
  ["src/cli/main.ts", ["acceptance"], "Trainings of ResNet-20 on CIFAR-10: --dry-run"],
  ["src/cli/main.ts", ["tune"], "writes no page"],
  ["src/cli/main.ts", ["tune-equal"], "6 trials on held-out images"],
  ["perf/engine_speed/main.ts", [], "JSON on stdout"],
  ["perf/peers/main.ts", [], "hours of one"],
  ["perf/queue_load/main.ts", [], "--run-ms N"],
];
for (const [main, name, told] of MAINTAINERS) {
  Deno.test(`${[main, ...name].join(" ")} has a help, and refuses what it does not know in one sentence`, async () => {
    const help = await command(main, [...name, "--help"]);
    assert.deepEqual([help.code, help.stderr], [0, ""]);
    for (const text of [told, "  --help "]) assert.ok(help.stdout.includes(text), help.stdout);
    for (const line of help.stdout.split("\n")) assert.ok(line.length <= 80, line);
    const { code, stdout, stderr } = await command(main, [...name, "--nothing"]);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, /^Cannot use option --nothing as it is not known.*: choose among --.*, --help\n$/);
  });
}

Deno.test("the entry point lists its commands, and names the nearest to one that it does not know", async () => {
  const { code, stdout } = await command("src/cli/main.ts", []);
  assert.equal(code, 0);
  for (
    const name of ["bench", "report", "runs", "measure", "data", "engine", "worker", "acceptance", "tune", "tune-equal"]
  ) {
    assert.match(stdout, new RegExp(`^  ${name} +\\w`, "m"));
  }
  const unknown = await command("src/cli/main.ts", ["becnh"]);
  assert.deepEqual([unknown.code, unknown.stdout], [2, ""]);
  assert.match(
    unknown.stderr,
    /^Cannot use command "becnh" as it is not known, perhaps bench was meant: choose one of bench, /,
  );
});

Deno.test("unknownValue() names the nearest known name, and none where none is near", () => {
  const known = ["fp", "lsq", "lsq_plus", "fpq_csd"];
  const told = (value: string) =>
    /, perhaps (\w+) was meant: choose/.exec(unknownValue("method", value, known).message)?.[1];
  assert.deepEqual(["lsqplus", "lsq_pls", "fpq-csd", "LSQ", "lqs", "vgg", "x"].map(told), [
    "lsq_plus",
    "lsq_plus",
    "fpq_csd",
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  assert.match(
    unknownValue("method", "vgg", known).message,
    /^Cannot use method "vgg" as it is not known: choose one of fp, /,
  );
});
