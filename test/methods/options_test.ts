/** Options that a method does not have. */
import assert from "node:assert/strict";
import { InputError } from "../../src/errors.ts";
import { createMethod, METHODS } from "../../src/methods/mod.ts";

Deno.test("createMethod() names the options of a method, and the one that was perhaps meant", () => {
  assert.throws(
    () => createMethod({ name: "kd", options: { temperatur: 2 } }),
    new InputError(
      'Cannot use method kd\'s option "temperatur" as it is not known, perhaps temperature was meant: ' +
        "choose one of temperature, weight",
    ),
  );
  for (const { name, options } of METHODS) {
    const known = Object.keys(options.parse({}));
    if (known.length === 0) continue;
    assert.throws(() => createMethod({ name, options: { "?": 1 } }), ({ message }: Error) => {
      const [fault, named] = message.split(": choose one of ");
      assert.equal(fault, `Cannot use method ${name}'s option "?" as it is not known`);
      assert.deepEqual(known.filter((option) => !named!.split(", ").includes(option)), []); // those without a default too
      return true;
    });
  }
  assert.throws(
    () => createMethod({ name: "qat", options: { rho: 1 } }),
    new InputError('Cannot use option "rho" of method qat as it takes no options: leave it out'),
  );
});
