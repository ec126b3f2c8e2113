/**
 * Trees: nested plain objects whose leaves are tensors (or anything else that is not a plain object).
 *
 * State is named by path (`params/stage1/conv/weight`), never by order: flattening sorts the paths, so two trees of
 * the same names always line up.
 */

/** A nested plain object with leaves of type `Leaf`. */
export type Tree<Leaf> = Leaf | { readonly [name: string]: Tree<Leaf> };

/** A tree of depth one: leaves by path. */
export type Leaves<Leaf> = Readonly<Record<string, Leaf>>;

function isNode(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** The leaves of `tree` as `[path, leaf]`, sorted by path; names are joined by `separator`. */
export function flatten<Leaf>(tree: Tree<Leaf>, separator = "\u0000"): [string, Leaf][] {
  const found: [string, Leaf][] = [];
  function visit(node: unknown, path: string[]): void {
    if (!isNode(node)) {
      found.push([path.join(separator), node as Leaf]);
      return;
    }
    for (const name of Object.keys(node).sort()) visit(node[name], [...path, name]);
  }
  visit(tree, []);
  return found;
}

/** The tree of the same structure, each leaf replaced by `transform(leaf, path)`. */
export function mapTree<From, To>(
  tree: Tree<From>,
  transform: (leaf: From, path: string) => To,
  path = "",
): Tree<To> {
  if (!isNode(tree)) return transform(tree as From, path);
  const result: Record<string, Tree<To>> = {};
  for (const name of Object.keys(tree).sort()) {
    result[name] = mapTree((tree as Record<string, Tree<From>>)[name]!, transform, path ? `${path}/${name}` : name);
  }
  return result;
}

/** The leaves whose path starts with `prefix`, by the rest of their path. */
export function leavesUnder<Leaf>(leaves: Leaves<Leaf>, prefix: string): Record<string, Leaf> {
  return Object.fromEntries(
    Object.entries(leaves).filter(([path]) => path.startsWith(prefix))
      .map(([path, leaf]) => [path.slice(prefix.length), leaf]),
  );
}

/** The leaves of several trees, each under the name of its tree and `/`. */
export function joinLeaves<Leaf>(trees: Readonly<Record<string, Leaves<Leaf>>>): Record<string, Leaf> {
  return Object.fromEntries(
    Object.entries(trees).flatMap(([name, leaves]) =>
      Object.entries(leaves).map(([path, leaf]) => [`${name}/${path}`, leaf])
    ),
  );
}
