/**
 * Methods: the objectives that a network is trained by. One file of this folder and one line here.
 *
 * A method of your own is a `MethodDefinition`: a zod schema of its options, and a pure loss.
 *
 * @example Make a method with an option, and read the defaults of the others
 * ```ts
 * import { createMethod, METHODS } from "@requant/requant/methods";
 * import assert from "node:assert/strict";
 *
 * const sam = createMethod({ name: "sam", options: { rho: 0.1 } });
 * assert.equal(sam.quantized, true);
 * assert.equal(typeof sam.ascend, "function"); // a step takes two passes
 * const kd = METHODS.find(({ name }) => name === "kd")!;
 * assert.deepEqual(Object.keys(kd.options.parse({})), ["temperature", "weight"]);
 * assert.throws(() => createMethod({ name: "sam", options: { rho: -1 } }), /rho/);
 * ```
 * @module
 */
import { InputError, unknownValue } from "../errors.ts";
import { cr } from "./cr.ts";
import { fp } from "./fp.ts";
import { fpq } from "./fpq.ts";
import { kd } from "./kd.ts";
import { mec } from "./mec.ts";
import { qat } from "./qat.ts";
import { qatEma } from "./qat_ema.ts";
import { qatTwoView } from "./qat_two_view.ts";
import { sam } from "./sam.ts";
import type { Method, MethodDefinition } from "./types.ts";

export type { Tensor } from "../engine/types.ts";
export type { Hooks, Model, ModelQuantization, Output } from "../nn/types.ts";
export type { Leaves } from "../tree.ts";
export { cosineDistance, crossEntropy, klDivergence, squaredDistance } from "./losses.ts";
export type * from "./types.ts";

/** All methods that a run spec can name. */
export const METHODS: readonly MethodDefinition[] = [fp, qat, qatTwoView, qatEma, kd, sam, fpq, cr, mec];

/**
 * Makes the method of a run spec.
 * @throws {InputError} If the name is not known or an option does not fit.
 */
export function createMethod({ name, options }: { name: string; options: Record<string, unknown> }): Method {
  const found = METHODS.find((method) => method.name === name);
  if (!found) {
    throw unknownValue("method", name, METHODS.map(({ name }) => name));
  }
  const parsed = found.options.safeParse(options);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!, known = Object.keys((found.options as { shape?: object }).shape ?? {});
    if (issue.code === "unrecognized_keys" && issue.path.length === 0) throw unknownOption(name, issue.keys[0]!, known);
    const place = issue.path.length > 0 ? `${issue.path.join(".")} ` : "";
    throw new InputError(
      `Cannot use the options ${JSON.stringify(options)} of method ${name}: ${place}${issue.message}`,
    );
  }
  return found.create(parsed.data);
}

function unknownOption(method: string, option: string, known: readonly string[]): InputError {
  if (known.length > 0) return unknownValue(`method ${method}'s option`, option, known);
  return new InputError(`Cannot use option "${option}" of method ${method} as it takes no options: leave it out`);
}
