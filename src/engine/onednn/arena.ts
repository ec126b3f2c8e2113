/** One memory for all values of a program. */
import { InputError } from "../../errors.ts";

const ALIGNMENT = 64;

/** First the places are found, without memory; then `allocate` takes as much as they need. */
export class Arena {
  #buffer: ArrayBuffer | null = null;
  #size = 0;
  /** Free pieces below `size`, by offset, ascending. */
  #free: { offset: number; bytes: number }[] = [];

  /** Offset of a place for so many bytes: the smallest free piece that holds them, else new room at the end. */
  take(bytes: number): number {
    const wanted = rounded(bytes);
    let best: { offset: number; bytes: number } | null = null;
    for (const piece of this.#free) if (piece.bytes >= wanted && (!best || piece.bytes < best.bytes)) best = piece;
    if (best) {
      const { offset } = best;
      best.offset += wanted;
      best.bytes -= wanted;
      if (best.bytes === 0) this.#free.splice(this.#free.indexOf(best), 1);
      return offset;
    }
    const tail = this.#free.at(-1);
    if (tail && tail.offset + tail.bytes === this.#size) {
      this.#free.pop();
      this.#size = tail.offset + wanted;
      return tail.offset;
    }
    this.#size += wanted;
    return this.#size - wanted;
  }

  release(offset: number, bytes: number): void {
    const at = this.#free.findIndex((piece) => piece.offset > offset), index = at < 0 ? this.#free.length : at;
    this.#free.splice(index, 0, { offset, bytes: rounded(bytes) });
    for (const i of [index, index - 1]) {
      const piece = this.#free[i], next = this.#free[i + 1];
      if (!piece || !next || piece.offset + piece.bytes !== next.offset) continue;
      piece.bytes += next.bytes;
      this.#free.splice(i + 1, 1);
    }
  }

  /**
   * @param prepare Is given address and size of the memory before it is used.
   * @throws {InputError} If there is not as much memory.
   */
  allocate(prepare: (address: bigint, bytes: number) => void): void {
    try {
      this.#buffer = new ArrayBuffer(this.#size + ALIGNMENT);
      prepare(this.#base, this.#size);
    } catch {
      throw new InputError(
        `Cannot run a program as its tensors take ${(this.#size / 2 ** 20).toFixed(0)} MiB, more than there is: ` +
          "use a smaller model or batch",
      );
    }
  }

  get size(): number {
    return this.#size;
  }

  get buffer(): ArrayBuffer {
    return this.#buffer!;
  }

  /** Where offset 0 is in `buffer`. */
  get start(): number {
    return Number(-this.#base & BigInt(ALIGNMENT - 1));
  }

  get address(): bigint {
    return this.#base + BigInt(this.start);
  }

  get #base(): bigint {
    return BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(new Uint8Array(this.buffer))));
  }
}

function rounded(bytes: number): number {
  return Math.max(ALIGNMENT, Math.ceil(bytes / ALIGNMENT) * ALIGNMENT);
}
