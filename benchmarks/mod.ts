/** The papers: one folder of this folder and one line here. */
import { crPaper } from "./cr/paper.ts";
import { fpqPaper } from "./fpq/paper.ts";
import { mecPaper } from "./mec/paper.ts";
import type { Paper } from "../src/catalog/grid.ts";

export const PAPERS: readonly Paper[] = [mecPaper, fpqPaper, crPaper];
