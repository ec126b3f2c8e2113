import type { Layer, Norm } from "./types.ts";

/** Collects the layers and norms of a model while its blocks are laid out. */
export class ModelBuilder {
  /** Layers so far, in the order of the forward pass. */
  readonly layers: Layer[] = [];
  /** Norms so far. */
  readonly norms: Norm[] = [];

  /** Adds a layer: by default an inner 1 x 1 convolution of stride 1 that reads maps as large as the image. */
  layer(
    path: string,
    options:
      & Pick<Layer, "inChannels" | "outChannels" | "inputSigned">
      & Partial<Pick<Layer, "kind" | "kernelSize" | "stride" | "reduction" | "position">>,
  ): Layer {
    const layer: Layer = {
      kind: "convolution",
      kernelSize: 1,
      stride: 1,
      reduction: 1,
      position: "inner",
      ...options,
      path,
      index: this.layers.length,
    };
    this.layers.push(layer);
    return layer;
  }

  /** Adds a batch normalisation. */
  norm(path: string, channels: number): Norm {
    const norm = { path, channels };
    this.norms.push(norm);
    return norm;
  }
}
