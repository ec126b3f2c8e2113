/** Results that stay where a program computed them. Otherwise each training step would copy its network out and in again. */
import type { Values } from "./graph.ts";

/** A tensor's values: a result in its program's memory, copied out when it is read or before that is written again. */
export class Held {
  /** In the program's memory, or a tensor's own; null: copied out, or given up. */
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
    return this.#copy ??= this.source.slice();
  }

  /** Copies the values, so that they outlive their place. */
  keep(): void {
    void this.values;
  }

  /** The values, wherever they are. */
  get source(): Values {
    const values = this.#copy ?? this.#view;
    if (values) return values;
    throw new Error("Cannot read a tensor that a program consumed: read it before the call");
  }

  /** Checks whether it lies at this place of its program's memory. */
  isAt(place: Values): boolean {
    return this.#view?.buffer === place.buffer && this.offset === place.byteOffset;
  }

  /** Where it lies in its program's memory; undefined: not there. */
  get offset(): number | undefined {
    return this.#view?.byteOffset;
  }

  /** Takes its new place in the program's memory. */
  moveTo(view: Values): void {
    this.#view = view;
  }

  /** Leaves the program's memory. */
  copyOut(): void {
    this.keep();
    this.#view = null;
  }

  /** Forgets its place, as nobody reads it any more. */
  giveUp(): void {
    this.#view = null;
  }
}

/** The results of a program that may still lie in its memory. */
export class HeldResults {
  readonly #places: readonly Values[];
  /** For each input: a run may write over it. */
  readonly #isConsumed: readonly boolean[];
  readonly #resident = new Set<Held>();
  /** The values in each input's place; null: a run may have written over them. */
  #last: readonly (Held | null)[] = [];

  /** @param places Those of the inputs. */
  constructor(places: readonly Values[], isConsumed: readonly boolean[]) {
    this.#places = places;
    this.#isConsumed = isConsumed;
  }

  add(view: Values): Held {
    const held = new Held(view);
    this.#resident.add(held);
    return held;
  }

  /** Writes the inputs of a run into their places, after every result that the run would overwrite has left. */
  putInputs(given: readonly Held[]): void {
    const inputs = new Set(given), places = this.#places, offsets = new Set(places.map(({ byteOffset }) => byteOffset));
    const there = new Set(given.filter((held, i) => held.isAt(places[i]!)));
    for (const held of this.#resident) {
      // a result in the place of an input is that input, or in its way
      if (held.isResident && inputs.has(held) && (there.has(held) || !offsets.has(held.offset!))) continue;
      if (held.isResident) held.copyOut();
      this.#resident.delete(held);
    }
    given.forEach((held, i) => {
      if (held !== this.#last[i] && !held.isAt(places[i]!)) places[i]!.set(held.source);
    });
    this.#last = given.map((held, i) => this.#isConsumed[i] ? null : held);
    given.forEach((held, i) => {
      if (!this.#resident.has(held)) return;
      if (this.#isConsumed[i]) {
        held.giveUp();
        this.#resident.delete(held);
      } else held.moveTo(places[i]!);
    });
  }

  copyAllOut(): void {
    for (const held of this.#resident) if (held.isResident) held.copyOut();
    this.#resident.clear();
  }
}
