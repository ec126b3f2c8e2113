/** The bench command as a function, for tests. */
import { bench } from "../../src/cli/bench.ts";
import type { BenchServices } from "../../src/cli/bench_options.ts";
import { PAPERS } from "../../benchmarks/mod.ts";
import { InputError } from "../../src/errors.ts";
import type { ReportInput } from "../../src/report/mod.ts";
import { fakeCommand } from "./fakes/specs.ts";

/** A console that is no terminal. */
export const PLAIN = { draw() {}, paint() {}, screen: null, colours: false, terminal: false, columns: 80 } as const;

/** What a call of the command did. */
export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly prepared: readonly string[];
  readonly reported: readonly ReportInput[];
}

/** The command with fake runs, a fake engine choice and a fake report. */
export async function cli(args: readonly string[], overrides: Partial<BenchServices> = {}): Promise<Result> {
  let stdout = "";
  let stderr = "";
  const prepared: string[] = [];
  const reported: ReportInput[] = [];
  const never = new AbortController().signal;
  const code = await bench(args, {
    papers: PAPERS,
    resolveEngine: (choice) => {
      if (choice === "tensorflow") {
        return Promise.reject(new InputError("Cannot use engine tensorflow as it is a test"));
      }
      return Promise.resolve("wasm");
    },
    prepareDataset: (name) => {
      prepared.push(name);
      return Promise.resolve();
    },
    datasetSizes: () => ({ train: 50_000, test: 10_000, imageShape: [32, 32, 3] }),
    renderReports: (input) => {
      reported.push(input);
      return Promise.resolve([
        { path: "page.md", text: `# ${input.records.length} records\n` },
        { path: "page.csv", text: "a,b\n" },
      ]);
    },
    command: () => fakeCommand(),
    cores: 2,
    memoryMiB: 100_000,
    committedRecords: () => Promise.resolve([]),
    rates: () => [],
    keepRate() {},
    checkpointMiB: () => Promise.resolve(1.5),
    listenForInterrupts: () => ({ stop: never, kill: never, dispose: () => {} }),
    stdout: (text) => void (stdout += text),
    stderr: (text) => void (stderr += text),
    ...PLAIN,
    ...overrides,
  });
  return { code, stdout, stderr, prepared, reported };
}
