import type { Paper } from "../src/catalog/paper.ts";
import type { Suite } from "../src/catalog/suite.ts";
import { LSQ } from "./arms.ts";
import { CORE } from "./core.ts";
import { crPaper } from "./cr/paper.ts";
import { fpqPaper } from "./fpq/paper.ts";
import { knownTruths } from "./known/paper.ts";
import { mecPaper } from "./mec/paper.ts";
import { PROTOCOL_DEFINITIONS } from "./protocols.ts";

/** The papers: one folder of this folder and one line here. */
export const PAPERS: readonly Paper[] = [mecPaper, fpqPaper, crPaper, knownTruths];

/** Everything that the commands run and report. */
export const SUITE: Suite = { papers: PAPERS, protocols: PROTOCOL_DEFINITIONS, baseline: LSQ, core: CORE };
