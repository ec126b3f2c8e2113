/** Options and services of `deno task bench`. */
import type { Bits } from "../catalog/bits.ts";
import type { Paper } from "../catalog/paper.ts";
import type { EngineChoice, EngineName, PrecisionChoice } from "../engine/types.ts";
import type { Gpu } from "../pool/gpus.ts";
import type { BucketAddress } from "../queue/store_url.ts";
import type { QueueAddress } from "../queue/url.ts";
import type { Rate } from "../record/rate.ts";
import type { BaseProtocol, RunSpec } from "../record/spec.ts";
import type { ReportFile, ReportInput } from "../report/mod.ts";
import type { Jobs, LimitValues } from "./command_line.ts";
import type { GridServices } from "./grid.ts";
import type { WatchValues } from "./watch.ts";

/** Options of `deno task bench`; null: not given. */
export interface BenchOptions extends LimitValues, WatchValues {
  /** Required, but for `list` and `helpAll`. */
  readonly paper?: string;
  readonly table: string | null;
  readonly protocol: BaseProtocol;
  /** Epochs of quantized runs in place of the protocol's, whose length changes as a whole; null: its own. */
  readonly epochs: number | null;
  readonly methods: readonly string[] | null;
  readonly models: readonly string[] | null;
  readonly bits: readonly Bits[] | null;
  readonly seeds: readonly number[] | null;
  /** In place of every quantized arm's own; null: their own. */
  readonly quantizer: string | null;
  readonly engine: EngineChoice;
  readonly precision: PrecisionChoice;
  readonly jobs: Jobs;
  /** Tries of a run that crashed; null: the default of the pool or the queue. */
  readonly retries: number | null;
  readonly failFast?: true;
  readonly keepEpochs?: true;
  /** Null: this machine alone. */
  readonly queue: QueueAddress | null;
  /** Null: the folder is shared. */
  readonly store: BucketAddress | null;
  /** Folder of full-precision runs to take instead of training them; null: none. */
  readonly teachers: string | null;
  readonly out: string;
  readonly dryRun?: true;
  /** Only with `dryRun`, as `runs`. */
  readonly probe?: true;
  readonly runs?: true;
  readonly json?: true;
  readonly print?: true;
  readonly report: boolean;
  readonly list?: true;
  readonly helpAll?: true;
}

/** Services of this machine that the command needs. */
export interface BenchServices extends GridServices {
  readonly papers: readonly Paper[];
  readonly resolveEngine: (choice: EngineChoice) => Promise<EngineName>;
  readonly renderReports: (input: ReportInput) => Promise<readonly ReportFile[]>;
  readonly cores: number;
  /** Lists the GPUs that engine tensorflow will compute on. */
  readonly gpus?: () => Promise<readonly Gpu[]>;
  /** @throws {InputError} If an engine does not compute in bfloat16 on this machine. */
  readonly requireBfloat16: (engine: EngineName) => Promise<void>;
  /** Memory of this machine. */
  readonly memoryMiB: number;
  /** Size of a checkpoint of a run, at most. */
  readonly checkpointMiB: (spec: RunSpec) => Promise<number>;
  /** Keeps a rate that was probed on this machine. */
  readonly keepRate: (rate: Rate) => void;
}
