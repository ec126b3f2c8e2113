/** Instruction sets that oneDNN tells apart. */
import { InputError } from "../../errors.ts";

/** oneDNN's variable: the newest instructions that it may use. */
const MAX_ISA = "ONEDNN_MAX_CPU_ISA";

/** Instruction sets that serve, ascending: dnnl_cpu_isa_t, and the name in `ONEDNN_MAX_CPU_ISA`. */
const ISAS: readonly (readonly [bits: number, name: string])[] = [
  [0x7, "AVX2"],
  [0xf, "AVX2_VNNI"],
  [0x1f, "AVX2_VNNI_2"],
  [0x27, "AVX512_CORE"],
  [0x67, "AVX512_CORE_VNNI"],
  [0xe7, "AVX512_CORE_BF16"],
  [0x1ef, "AVX512_CORE_FP16"],
  [0xfef, "AVX512_CORE_AMX"],
  [0x1fef, "AVX512_CORE_AMX_FP16"],
];

/** The oldest set that multiplies bfloat16 faster than float32. */
const LEAST_BFLOAT16 = "AVX512_CORE_BF16";

/** Checks whether a set of these names multiplies bfloat16. */
export function hasBfloat16(isa: string): boolean {
  const names = ISAS.map(([, name]) => name);
  return names.indexOf(isa) >= names.indexOf(LEAST_BFLOAT16);
}

/** @throws {InputError} If a set of these names does not multiply bfloat16. */
export function requireBfloat16(isa: string): void {
  if (hasBfloat16(isa)) return;
  throw new InputError(
    `Cannot compute in bf16 as engine onednn may use ${isa} here, and that takes AVX512_BF16 or AMX: take --precision float32`,
  );
}

/** @throws {InputError} If the user's limit is no instruction set. */
export function requireKnownLimit(): void {
  const wanted = Deno.env.get(MAX_ISA)?.toUpperCase();
  if (!wanted || ["ALL", "DEFAULT"].includes(wanted) || ISAS.some(([, name]) => name === wanted)) return;
  throw new InputError(
    `Cannot use engine onednn as ${MAX_ISA} must be one of ${ISAS.map(([, name]) => name).join(", ")}: ` +
      `current value is "${wanted}"; unset it`,
  );
}

/**
 * The name of the newest set among dnnl_cpu_isa_t's bits.
 * @throws {InputError} If they lack AVX2.
 */
export function isaName(bits: number): string {
  const found = ISAS.findLast(([own]) => (bits & own) === own);
  if (found) return found[1];
  throw new InputError("Cannot use engine onednn as this processor has no AVX2: take --engine tensorflow or wasm");
}
