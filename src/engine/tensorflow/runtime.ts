import { InputError } from "../../errors.ts";
import type { Precision } from "../types.ts";
import { cString, int64, openSymbols, type TensorFlowSymbols, textAt } from "./ffi.ts";

/** TF_DataType values that tfjs knows. */
export const DTYPE = {
  float32: 1,
  int32: 3,
  uint8: 4,
  string: 7,
  complex64: 8,
  int64: 9,
  bool: 10,
  uint32: 22,
  uint64: 23,
} as const;

/** An attribute as tfjs-node's kernels give it; `type` is one of `ATTR`. */
export interface OpAttribute {
  readonly name: string;
  readonly type: number;
  // deno-lint-ignore no-explicit-any -- one of number, boolean, string or an array of them, told apart by `type`
  readonly value: any;
}

/** The attribute kinds of tfjs-node's binding. */
export const ATTR = { string: 0, int: 1, float: 2, bool: 3, type: 4, shape: 5, resource: 999 } as const;

/** Which version of libtensorflow the suite is written for. */
export const SUPPORTED_VERSION = /^2\.21\./;

/** A protocol buffer varint: 7 bits a byte, the lowest first, the top bit set on all but the last. */
function varint(value: number): number[] {
  return value < 128 ? [value] : [value % 128 + 128, ...varint(Math.floor(value / 128))];
}

/** Opened libtensorflow: its functions, one eager context, and the status that every call reports to. */
export class Runtime {
  readonly c: TensorFlowSymbols;
  readonly status: Deno.PointerValue;
  readonly context: Deno.PointerValue;
  readonly version: string;
  readonly gpu: boolean;
  /** Name of the GPU, or of the CPU where there is none. */
  readonly device: string;
  /** True if a GPU may multiply in TF32. */
  readonly tf32: boolean;
  readonly #names = new Map<string, Uint8Array<ArrayBuffer>>();

  /** @throws {InputError} If the library cannot be opened or is of another version. */
  constructor(library: string, { threads, precision }: { readonly threads: number; readonly precision: Precision }) {
    try {
      this.c = openSymbols(library);
    } catch (error) {
      throw new InputError(
        `Cannot open libtensorflow at "${library}": ${(error as Error).message.split("\n")[0]}: ` +
          `run \`deno task engine install\` or set REQUANT_LIBTENSORFLOW to a libtensorflow_cc of version 2.21`,
      );
    }
    this.version = textAt(this.c.TF_Version());
    if (!SUPPORTED_VERSION.test(this.version)) {
      throw new InputError(
        `Cannot use libtensorflow ${this.version} at "${library}" as the engine is written for 2.21: ` +
          `run \`deno task engine install\` and unset REQUANT_LIBTENSORFLOW`,
      );
    }
    this.status = this.c.TF_NewStatus();
    this.context = this.#newContext(threads);
    const devices = this.#devices(), gpu = devices.find(({ type }) => type === "GPU");
    this.gpu = gpu !== undefined;
    this.device = (gpu ?? devices.find(({ type }) => type === "CPU")!).name;
    // on a CPU it is left alone, as nothing is gained there
    this.tf32 = this.gpu && precision === "tf32";
    if (this.gpu) this.c._ZN3tsl32enable_tensor_float_32_executionEb?.(this.tf32);
  }

  #newContext(threads: number): Deno.PointerValue {
    const options = this.c.TFE_NewContextOptions();
    // ConfigProto: field 2 intra_op_parallelism_threads, field 5 inter_op_parallelism_threads, both varints
    const config = Uint8Array.of(0x10, ...varint(threads), 0x28, 1);
    this.c.TFE_ContextOptionsSetConfig(options, config, BigInt(config.length), this.status);
    this.check("thread configuration");
    const context = this.c.TFE_NewContext(options, this.status);
    this.check("context");
    this.c.TFE_DeleteContextOptions(options);
    return context;
  }

  #devices(): { type: string; name: string }[] {
    const { c, status } = this, list = c.TFE_ContextListDevices(this.context, status);
    this.check("device list");
    const found = Array.from({ length: c.TF_DeviceListCount(list) }, (_, i) => ({
      type: textAt(c.TF_DeviceListType(list, i, status)),
      name: textAt(c.TF_DeviceListName(list, i, status)),
    }));
    c.TF_DeleteDeviceList(list);
    return found;
  }

  /** Throws if the last call that reported to `status` failed; `what` names it (an op with its input shapes). */
  check(what: string | (() => string), status: Deno.PointerValue = this.status): void {
    if (this.c.TF_GetCode(status) === 0) return;
    const message = textAt(this.c.TF_Message(status));
    // a call that succeeds does not always say so: the failure must not be met again by the next check
    this.c.TF_SetStatus(status, 0, cString(""));
    throw new Error(`TensorFlow failed in ${typeof what === "string" ? what : what()}: ${message}`);
  }

  /** The C string of a name that is used again and again. */
  name(text: string): Uint8Array<ArrayBuffer> {
    let bytes = this.#names.get(text);
    if (!bytes) this.#names.set(text, bytes = cString(text));
    return bytes;
  }

  /** A TF_Tensor with these values; the caller deletes it. */
  newTensor(shape: readonly number[], dtype: number, values: ArrayLike<number>): Deno.PointerValue {
    const typed = dtype === DTYPE.bool || dtype === DTYPE.uint8
      ? (values instanceof Uint8Array ? values : Uint8Array.from(values))
      : dtype === DTYPE.int32
      ? (values instanceof Int32Array ? values : Int32Array.from(values))
      : (values instanceof Float32Array ? values : Float32Array.from(values));
    const bytes = new Uint8Array(typed.buffer as ArrayBuffer, typed.byteOffset, typed.byteLength);
    const tensor = this.c.TF_AllocateTensor(dtype, int64(shape), shape.length, BigInt(bytes.length));
    if (bytes.length > 0) {
      const data = this.c.TF_TensorData(tensor) as Deno.PointerObject;
      new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(data, bytes.length)).set(bytes);
    }
    return tensor;
  }

  /** Sets attributes on an op: `TFE_Op` when eager, `TF_` when recorded into a graph. */
  setAttributes(op: Deno.PointerValue, attributes: readonly OpAttribute[], kind: "TFE_OpSetAttr" | "TF_SetAttr"): void {
    // deno-lint-ignore no-explicit-any -- the two families differ in name only (and in SetAttrShape's status)
    const set = (suffix: string) => (this.c as any)[kind + suffix] as (...args: unknown[]) => void;
    for (const { name, type, value } of attributes) {
      const key = this.name(name), list = Array.isArray(value);
      if (type === ATTR.string) {
        const bytes = new TextEncoder().encode(value);
        set("String")(op, key, bytes, BigInt(bytes.length));
      } else if (type === ATTR.int) {
        list ? set("IntList")(op, key, int64(value), value.length) : set("Int")(op, key, BigInt(value));
      } else if (type === ATTR.float) {
        list ? set("FloatList")(op, key, Float32Array.from(value), value.length) : set("Float")(op, key, value);
      } else if (type === ATTR.bool) set("Bool")(op, key, value ? 1 : 0);
      else if (type === ATTR.type) {
        list ? set("TypeList")(op, key, Int32Array.from(value), value.length) : set("Type")(op, key, value);
      } else if (type === ATTR.shape) {
        const status = kind === "TFE_OpSetAttr" ? [this.status] : [];
        set("Shape")(op, key, int64(value), value.length, ...status);
      } else throw new Error(`Cannot set attribute "${name}" as its kind ${type} is not known`);
    }
  }
}
