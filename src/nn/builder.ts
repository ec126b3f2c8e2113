import type { Layer, Norm } from "./types.ts";

/** Collects the layers and norms of a model while its blocks are laid out. */
export class ModelBuilder {
  readonly layers: Layer[] = [];
  readonly norms: Norm[] = [];

  /** Adds a layer; one that is not said to be first or last is inner. */
  layer(
    path: string,
    options:
      & Pick<Layer, "inChannels" | "outChannels" | "inputSigned">
      & Partial<Pick<Layer, "kind" | "kernelSize" | "stride" | "position">>,
  ): Layer {
    const layer: Layer = {
      kind: "convolution",
      kernelSize: 1,
      stride: 1,
      position: "inner",
      ...options,
      path,
      index: this.layers.length,
    };
    this.layers.push(layer);
    return layer;
  }

  norm(path: string, channels: number): Norm {
    const norm = { path, channels };
    this.norms.push(norm);
    return norm;
  }
}
