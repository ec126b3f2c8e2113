import type { BaseProtocol, ProtocolLabel } from "../record/spec.ts";
import type { Bits } from "./bits.ts";
import type { Arm, ArmTitle, Paper } from "./paper.ts";
import type { Protocol } from "./protocol.ts";

/** One table over all papers: every method under the same budget. */
export interface CoreTable {
  readonly title: string;
  readonly protocol: ProtocolLabel;
  readonly dataset: string;
  readonly model: string;
  /** In the order of the rows; full precision among them. */
  readonly arms: readonly ArmTitle[];
  /** The table's parts, in their order. */
  readonly bits: readonly Bits[];
  /** Facts about its columns, one sentence each. */
  readonly reading: readonly string[];
  /** Limits of what it shows, most important first. */
  readonly cautions: readonly string[];
}

/** Everything that can be run and reported. */
export interface Suite {
  readonly papers: readonly Paper[];
  readonly protocols: Readonly<Record<BaseProtocol, Protocol>>;
  /** Plain training on the quantizer that every other arm is compared with. */
  readonly baseline: Arm;
  readonly core: CoreTable;
}
