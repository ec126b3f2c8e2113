/** Results that stay where a program computed them. Otherwise each training step would copy its network out and in again. */
import type { Values } from "./graph.ts";

/** A result in its program's memory. It is copied out when it is read, or before the memory is written again. */
export class Held {
  /** In the program's memory; null: copied out, or given up. */
  #view: Values | null;
  #copy: Values | null = null;

  constructor(view: Values) {
    this.#view = view;
  }

  /** True while it lies in the program's memory. */
  get isResident(): boolean {
    return this.#view !== null;
  }

  /** The values, in an array of their own. */
  get values(): Values {
    return this.#copy ??= this.#view!.slice();
  }

  /** The values, wherever they are. */
  get source(): Values {
    return this.#copy ?? this.#view!;
  }

  /** Takes its new place in the program's memory. */
  moveTo(view: Values): void {
    this.#view = view;
  }

  /** Leaves the program's memory. */
  copyOut(): void {
    void this.values;
    this.#view = null;
  }

  /** Forgets its place, as nobody reads it any more. */
  giveUp(): void {
    this.#view = null;
  }
}

/** The results of a program that may still lie in its memory. */
export class HeldResults {
  readonly #resident = new Set<Held>();
  /** Those that the last run had as inputs, in whose places they lie since. */
  #moved = new Set<Held>();

  add(view: Values): Held {
    const held = new Held(view);
    this.#resident.add(held);
    return held;
  }

  /** Writes the inputs of a run into their places, after every result that the run would overwrite has left. */
  putInputs(places: readonly Values[], given: readonly (Values | Held)[]): void {
    const inputs = new Set(given);
    for (const held of this.#resident) {
      if (held.isResident && inputs.has(held) && !this.#moved.has(held)) continue;
      if (held.isResident) held.copyOut();
      this.#resident.delete(held);
    }
    given.forEach((item, i) => places[i]!.set(item instanceof Held ? item.source : item));
    this.#moved = new Set();
    given.forEach((item, i) => {
      if (!(item instanceof Held) || !this.#resident.has(item)) return;
      item.moveTo(places[i]!);
      this.#moved.add(item);
    });
  }

  copyAllOut(): void {
    for (const held of this.#resident) if (held.isResident) held.copyOut();
    this.#resident.clear();
  }
}
