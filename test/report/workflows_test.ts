/** The ready workflow files: what they name exists, and their quick steps run in a shell. */
import assert from "node:assert/strict";
import { dirname, join, resolve } from "node:path";
import { parse } from "yaml";
import { record } from "./fixtures.ts";

const ROOT = resolve(import.meta.dirname!, "../..");
const { tasks } = JSON.parse(Deno.readTextFileSync(join(ROOT, "deno.json"))) as { tasks: Record<string, string> };

interface Step {
  readonly file: string;
  readonly run: string;
}

function readYaml(file: string): Record<string, unknown> {
  return parse(Deno.readTextFileSync(join(ROOT, "docs/ci", file)));
}

/** The shell lines of both files. */
function steps(): Step[] {
  const github = readYaml("github.yml") as { jobs: Record<string, { steps: { run?: string }[] }> };
  const gitlab = Object.values(readYaml("gitlab.yml")) as { script?: string[] }[];
  return [
    ...Object.values(github.jobs).flatMap(({ steps }) =>
      steps.flatMap(({ run }) => run === undefined ? [] : [{ file: "github.yml", run }])
    ),
    ...gitlab.flatMap((job) => (job?.script ?? []).map((run) => ({ file: "gitlab.yml", run }))),
  ];
}

const STEPS = steps();

/** The lines call `deno` by name: it is the one that runs the tests. */
const PATH = `${dirname(Deno.execPath())}:${Deno.env.get("PATH")}`;

/** Runs a line in a shell, as CI does: it stops at the first failure. */
function shell(line: string, { cwd, env = {} }: { cwd: string; env?: Record<string, string> }) {
  const command = new Deno.Command("bash", { args: ["-eo", "pipefail", "-c", line], cwd, env: { PATH, ...env } });
  const { code, stdout, stderr } = command.outputSync();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

Deno.test("workflow files run the smoke protocol, the report's check and its diff, and publish the site", () => {
  for (const file of ["github.yml", "gitlab.yml"]) {
    const lines = STEPS.filter((step) => step.file === file).map(({ run }) => run).join("\n");
    for (const wanted of ["report --check", "report --diff", "data cifar10", "--protocol smoke"]) {
      assert.ok(lines.includes(wanted), `${file} has a step with ${wanted}`);
    }
    assert.ok(
      /deno task report --out (\w+)[\s\S]*\1\/site/.test(Deno.readTextFileSync(join(ROOT, "docs/ci", file))),
      file,
    );
  }
});

Deno.test("workflow files name tasks and options that exist", () => {
  const commands = STEPS.flatMap(({ run }) => [...run.matchAll(/deno task (\w+)([^|>&\n]*)/g)]);
  assert.ok(commands.length >= 8);
  const helps = new Map<string, string>();
  for (const [line, task, rest] of commands) {
    assert.ok(tasks[task!], `${line}: there is no task ${task}`);
    if (!helps.has(task!)) helps.set(task!, shell(`deno task --quiet ${task} --help`, { cwd: ROOT }).stdout);
    for (const [option] of rest!.matchAll(/--[a-z-]+/g)) {
      assert.ok(helps.get(task!)!.includes(`${option} `), `${line}: ${task} has no option ${option}`);
    }
  }
});

Deno.test("the smoke step of a workflow plans its runs and finds nothing wrong with its options", () => {
  for (const { run } of STEPS.filter(({ run }) => run.includes("deno task bench"))) {
    const folder = Deno.makeTempDirSync();
    try {
      const { code, stdout, stderr } = shell(`${run.replace("runs/smoke", folder)} --dry-run`, { cwd: ROOT });
      assert.equal(code, 0, stderr);
      assert.match(stdout, /LSQ|lsq/);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  }
});

Deno.test("the quick steps of the workflows run in a fresh checkout, and the check fails on an edited page", () => {
  const checkout = Deno.makeTempDirSync();
  try {
    for (const name of ["src", "benchmarks", "datasets", "node_modules"]) {
      Deno.symlinkSync(join(ROOT, name), join(checkout, name));
    }
    for (const name of ["deno.json", "deno.lock"]) Deno.copyFileSync(join(ROOT, name), join(checkout, name));
    Deno.mkdirSync(join(checkout, "reports/records"), { recursive: true });
    const runs = [record({ protocol: "smoke", model: "resnet8", bits: [4, 4], top1Percent: 30 })];
    Deno.writeTextFileSync(
      join(checkout, "reports/records/smoke.jsonl"),
      runs.map((run) => JSON.stringify(run)).join("\n"),
    );
    const env = {
      BASE: "HEAD",
      CI_MERGE_REQUEST_DIFF_BASE_SHA: "HEAD",
      GITHUB_STEP_SUMMARY: join(checkout, "summary.md"),
    };
    const git = "git -c user.name=A -c user.email=a@b.c";
    const made = shell(`deno task --quiet report && git init -q && git add reports && ${git} commit -qm first`, {
      cwd: checkout,
    });
    assert.equal(made.code, 0, made.stderr);
    const quick = STEPS.filter(({ run }) => /report --|cp -r/.test(run));
    assert.ok(quick.length >= 5);
    for (const { file, run } of quick) {
      const { code, stderr } = shell(run, { cwd: checkout, env });
      assert.equal(code, 0, `${file}: ${run}: ${stderr}`);
    }
    assert.match(Deno.readTextFileSync(env.GITHUB_STEP_SUMMARY), /^# Cells that moved since HEAD\n\nNo cell moved/);
    assert.ok(Deno.statSync(join(checkout, "public/index.html")).isFile);
    assert.ok(Deno.statSync(join(checkout, "built/site/index.html")).isFile);
    assert.throws(() => Deno.statSync(join(checkout, "reports/site")), Deno.errors.NotFound);
    Deno.writeTextFileSync(join(checkout, "reports/fpq.md"), "99.99\n");
    const check = quick.find(({ run }) => run.includes("--check"))!;
    assert.equal(shell(check.run, { cwd: checkout, env }).code, 1);
  } finally {
    Deno.removeSync(checkout, { recursive: true });
  }
});
