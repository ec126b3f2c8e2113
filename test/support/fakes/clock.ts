/** With FAKE_CLOCK=back in the environment, or clock=back among the arguments: a calendar clock that stands in 2000 and goes an hour back at every look. */
const RealDate = Date;
let now = RealDate.parse("2000-06-01T00:00:00Z");

function back(): number {
  now -= 3_600_000;
  return now;
}

if (Deno.env.get("FAKE_CLOCK") === "back" || Deno.args.includes("clock=back")) {
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, args: unknown[]) => args.length === 0 ? new target(back()) : Reflect.construct(target, args),
    get: (target, name) => name === "now" ? back : Reflect.get(target, name),
  });
}
