/** Matrix products. */
import { type Node, sizeOf, type Use } from "./graph.ts";
import { ARGUMENT } from "./c_interface.ts";
import type { Run } from "./loops.ts";
import type { Builder } from "./builder.ts";

/** c = a b, each possibly transposed. Null: the batches differ. */
export function matMul({ inputs: { a, b }, attrs, outputs: [c] }: Node, builder: Builder): Run | null {
  const { library } = builder, batch = sizeOf(c!.shape.slice(0, -2));
  if ([a!, b!].some(({ shape }) => sizeOf(shape.slice(0, -2)) !== batch) || c!.value.size === 0) return null;
  const layout = ({ shape }: Use, transposed: boolean) => {
    const [rows, columns] = shape.slice(-2) as [number, number];
    return transposed
      ? library.strided([batch, columns, rows], [rows * columns, 1, columns], "f32")
      : library.plain([batch, rows, columns], "f32");
  };
  const layouts = [
    layout(a!, attrs["transposeA"] === true),
    layout(b!, attrs["transposeB"] === true),
    layout(c!, false),
  ] as const;
  return builder.primitive(library.matMul(layouts), [
    [ARGUMENT.src, layouts[0], a!.value],
    [ARGUMENT.weights, layouts[1], b!.value],
    [ARGUMENT.dst, layouts[2], c!.value],
  ]);
}
