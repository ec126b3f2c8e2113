import { join } from "node:path";

/**
 * Runs with an empty folder, a cache in it, no library of an engine named, and these variables (undefined: unset). All is as
 * before afterwards, and the folder is gone.
 */
export async function withVariables(
  variables: (folder: string) => Readonly<Record<string, string | undefined>>,
  body: (folder: string) => Promise<void> | void,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const wanted = {
    REQUANT_CACHE: join(folder, "cache"),
    REQUANT_LIBTENSORFLOW: undefined,
    REQUANT_ONEDNN: undefined,
    ...variables(folder),
  };
  const before = Object.keys(wanted).map((name) => [name, Deno.env.get(name)] as const);
  const apply = (name: string, value: string | undefined) =>
    value === undefined ? Deno.env.delete(name) : Deno.env.set(name, value);
  for (const [name, value] of Object.entries(wanted)) apply(name, value);
  try {
    await body(folder);
  } finally {
    for (const [name, value] of before) apply(name, value);
    await Deno.remove(folder, { recursive: true });
  }
}

/** A PATH with nothing but `bin` of the folder, for `withVariables`. */
export const emptyPath = (folder: string) => ({ PATH: join(folder, "bin") });
