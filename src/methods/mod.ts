/** The methods: one file of this folder and one line here. */
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

export const METHODS: readonly MethodDefinition[] = [fp, qat, qatTwoView, qatEma, kd, sam, fpq, cr, mec];

/**
 * The method of a run spec.
 * @throws {InputError} If the name is not known or an option does not fit.
 */
export function createMethod({ name, options }: { name: string; options: Record<string, unknown> }): Method {
  const found = METHODS.find((method) => method.name === name);
  if (!found) {
    throw unknownValue("method", name, METHODS.map(({ name }) => name));
  }
  const parsed = found.options.safeParse(options);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw new InputError(
      `Cannot use the options ${JSON.stringify(options)} of method ${name}: ${issue.path.join(".")} ${issue.message}`,
    );
  }
  return found.create(parsed.data);
}
