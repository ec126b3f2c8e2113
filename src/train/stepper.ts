/** The steps of a run, one in each call of the engine or many. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import type { CompileOptions, Engine, Loops } from "../engine/types.ts";
import { type Leaves, mapTree } from "../tree.ts";
import type { Setup } from "./setup.ts";
import { compileStep, type StepInputs, trainingStep, type TrainingTensors } from "./step.ts";
import { sizeOf, stepInputs, type StepValues, stepValues } from "./step_inputs.ts";
import { toTensors } from "./tensors.ts";

/** Steps that were computed in one call. */
export interface Advance {
  readonly training: TrainingTensors;
  /** Number of steps. */
  readonly count: number;
  /** Those of `StepOutputs`, of each step in turn; reading them waits for the device. */
  readonly metrics: Leaves<Tensor>;
}

/** Computes the steps of a run. */
export interface Stepper {
  /** Number of calls whose metrics may stay unread while the next call is made. */
  readonly unread: number;
  /** Computes one step or more from step `from` on; `training` is disposed. */
  advance(training: TrainingTensors, from: number): Promise<Advance>;
  dispose(): void;
}

/** Options of `makeStepper`. */
export interface StepperOptions {
  /**
   * Steps of one call, where the engine can make many.
   * @default on a GPU as many as take CALL_SECONDS; else one, with images made by the host
   */
  readonly stepsPerCall?: number | undefined;
  /** Called with each quantized layer that stays float32, as TF32 would round it. */
  readonly float32?: (layer: string) => void;
  /** The step behind `from` that must end a call. */
  readonly until: (from: number) => number;
  /**
   * Training images up to so many bytes are kept on the device; of others, each call takes its own along.
   * @default 2^32
   */
  readonly residentBytes?: number;
}

/** The stepper of a run. */
export function makeStepper(engine: Engine, setup: Setup, options: StepperOptions): Stepper {
  const { spec, model, method, quantization, dataset } = setup;
  const program = trainingStep({ ...spec.recipe, model, quantization, method, scale: dataset });
  const teacher = teacherTensors(setup);
  if (engine.loops && (options.stepsPerCall !== undefined || engine.device === "gpu")) {
    return new ManySteps(engine.loops, setup, { ...options, program, teacher });
  }
  const step = compileStep(engine, program, compileOptions(options));
  return {
    // so that a GPU has work while the next batch is made
    unread: 1,
    advance(before, from) {
      const inputs = stepInputs(setup, from, { training: before, teacher }), { training, metrics } = step(inputs);
      const { training: _, teacher: __, ...own } = inputs;
      tf.dispose([before, own] as unknown as Tensor[]);
      return Promise.resolve({ training, count: 1, metrics });
    },
    dispose() {
      step.dispose();
      tf.dispose(teacher as unknown as Tensor[]);
    },
  };
}

function compileOptions({ float32 }: StepperOptions): Pick<CompileOptions, "float32"> {
  return float32 ? { float32 } : {};
}

/** The teacher's network for methods that use it in their steps; else empty. */
function teacherTensors({ method, teacher }: Setup): StepInputs["teacher"] {
  if (!method.usesTeacher || teacher === null) return { params: {}, state: {} };
  return { params: toTensors(teacher.params), state: toTensors(teacher.state) };
}

/** A call should last so long: short enough for signals, long beside what the host does for it. */
const CALL_SECONDS = 0.25;
/** Steps of one call at most. More gain nothing: with these a call costs the host less than drawing its crops. */
const MOST_STEPS = 50;
/** Bytes of images that a call takes along at most, if one step has no more. */
const CALL_BYTES = 2 ** 26;

/** Inputs of each step; images and what says where they are come in the form that the device keeps. */
type Each = Omit<StepInputs, "training" | "teacher"> & { readonly places: Leaves<Tensor> };

/** The inputs of a call, ready. */
interface Prepared {
  readonly from: number;
  readonly count: number;
  readonly each: Each;
  /** Training images that `places` points to. */
  readonly pool: Tensor;
}

/** Many steps a call, with images as bytes on the device. While a call runs the inputs of the next are made. */
class ManySteps implements Stepper {
  readonly unread = 0;
  readonly #loops: Loops;
  readonly #setup: Setup;
  readonly #teacher: StepInputs["teacher"];
  readonly #until: StepperOptions["until"];
  readonly #most: number;
  readonly #isTimed: boolean;
  readonly #repeated;
  /** All training images; null: they are too many. */
  readonly #images: Tensor | null;
  #prepared: Prepared | null = null;
  /** The last call's. */
  #secondsPerStep = Infinity;

  constructor(
    loops: Loops,
    setup: Setup,
    options: StepperOptions & {
      readonly program: ReturnType<typeof trainingStep>;
      readonly teacher: StepInputs["teacher"];
    },
  ) {
    const { dataset: { train, imageShape }, spec, method } = setup, { program, teacher, stepsPerCall, until } = options;
    const isResident = train.images.length <= (options.residentBytes ?? 2 ** 32);
    const perBatch = (isResident ? 0 : 1) + (method.strongViews?.length ?? 0);
    const perStep = perBatch * (1 + (method.unlabelledRatio ?? 0)) * spec.recipe.batchSize * sizeOf(imageShape);
    this.#loops = loops;
    this.#setup = setup;
    this.#teacher = teacher;
    this.#until = until;
    this.#isTimed = stepsPerCall === undefined;
    this.#most = Math.max(1, Math.min(stepsPerCall ?? MOST_STEPS, Math.floor(CALL_BYTES / perStep)));
    this.#images = isResident ? loops.bytes(train.images, [train.count, ...imageShape]) : null;
    this.#repeated = loops.repeat<
      TrainingTensors,
      { teacher: StepInputs["teacher"]; pool: Tensor },
      Each,
      Leaves<Tensor>
    >(
      ({ carried, fixed: { teacher, pool }, each: { places, images, ...each } }) => {
        const gathered = mapTree<Tensor, Tensor>(places, (place) => tf.gather(pool, place)) as Leaves<Tensor>;
        const { training, metrics } = program({
          ...each,
          training: carried,
          teacher,
          images: { ...images, ...gathered },
        });
        return { carried: training, outputs: metrics };
      },
      { most: this.#most, ...compileOptions(options) },
    );
  }

  async advance(before: TrainingTensors, from: number): Promise<Advance> {
    const now = this.#prepared?.from === from ? this.#prepared : this.#prepare(from), began = performance.now();
    this.#prepared = null;
    const { count, each, pool } = now;
    const call = this.#repeated({ carried: before, fixed: { teacher: this.#teacher, pool }, each }, count);
    try {
      if (from + count < this.#setup.steps) this.#prepared = this.#prepare(from + count);
    } finally {
      await call.finally(() => this.#forget(now));
    }
    const { carried: training, outputs: metrics } = await call;
    this.#secondsPerStep = (performance.now() - began) / 1000 / count;
    tf.dispose(before as unknown as Tensor[]);
    return { training, count, metrics };
  }

  #prepare(from: number): Prepared {
    const enough = this.#isTimed ? Math.max(1, Math.floor(CALL_SECONDS / this.#secondsPerStep)) : Infinity;
    const count = Math.min(enough, this.#most, this.#until(from) - from);
    const most = this.#most, { imageShape } = this.#setup.dataset;
    const steps = Array.from({ length: count }, (_, i) => stepValues(this.#setup, from + i, true));
    const { pool, places } = this.#images === null
      ? this.#shard(steps)
      : { pool: this.#images, places: steps.map(({ places }) => places) };
    const tensors = <Values extends Float32Array | Int32Array>(
      leaves: readonly Leaves<Values>[],
      shape: readonly number[],
    ) =>
      mapTree<Values, Tensor>(
        leaves[0]!,
        (_, path) => stacked(leaves.map((each) => each[path]!), { most, shape }),
      ) as Leaves<Tensor>;
    return {
      from,
      count,
      pool,
      each: {
        places: tensors(places, []),
        images: mapTree<Int32Array, Tensor>(steps[0]!.images, ({ length }, path) => {
          const bytes = new Uint8Array(most * length);
          steps.forEach(({ images }, i) => bytes.set(images[path]!, i * length));
          return this.#loops.bytes(bytes, [most, length / sizeOf(imageShape), ...imageShape]);
        }) as Leaves<Tensor>,
        crops: tensors(steps.map(({ crops }) => crops), [3]),
        labels: stacked(steps.map(({ labels }) => labels), { most, shape: [] }),
        inputs: tensors(steps.map(({ inputs }) => inputs), []),
        learningRate: tf.tensor1d(Float32Array.from({ length: most }, (_, i) => steps[i]?.learningRate ?? 0)),
      },
    };
  }

  /** The images of these steps alone, and their places among these. */
  #shard(steps: readonly StepValues[]): { pool: Tensor; places: Leaves<Int32Array>[] } {
    const { dataset: { train, imageShape } } = this.#setup, size = sizeOf(imageShape);
    const lists = (values: StepValues) => [...new Set(Object.values(values.places))];
    const perStep = lists(steps[0]!).reduce((sum, { length }) => sum + length, 0);
    const bytes = new Uint8Array(this.#most * perStep * size), moved = new Map<Int32Array, Int32Array>();
    let next = 0;
    for (const list of steps.flatMap(lists)) {
      moved.set(
        list,
        list.map((image) => {
          bytes.set(train.images.subarray(image * size, (image + 1) * size), next * size);
          return next++;
        }),
      );
    }
    const places = steps.map((values) =>
      mapTree<Int32Array, Int32Array>(values.places, (list) => moved.get(list)!) as Leaves<Int32Array>
    );
    return { pool: this.#loops.bytes(bytes, [this.#most * perStep, ...imageShape]), places };
  }

  #forget({ each, pool }: Prepared): void {
    tf.dispose(each as unknown as Tensor[]);
    if (pool !== this.#images) pool.dispose();
  }

  dispose(): void {
    this.#repeated.dispose();
    if (this.#prepared) this.#forget(this.#prepared);
    tf.dispose([this.#teacher, this.#images ?? []] as unknown as Tensor[]);
  }
}

/** The values of each step one behind the other, [most, n, ...shape]; 0 where there is no step. */
function stacked(
  steps: readonly (Float32Array | Int32Array)[],
  { most, shape }: { readonly most: number; readonly shape: readonly number[] },
): Tensor {
  const { length } = steps[0]!, isInteger = steps[0] instanceof Int32Array;
  const all = isInteger ? new Int32Array(most * length) : new Float32Array(most * length);
  steps.forEach((values, i) => all.set(values, i * length));
  return tf.tensor(all, [most, length / sizeOf(shape), ...shape], isInteger ? "int32" : "float32");
}
