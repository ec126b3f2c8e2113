/**
 * Sets XLA's flags for the tests of a file. The process reads them once, at its first compilation by XLA, so every file that
 * compiles by XLA calls this.
 */
export function useXlaFlags(): void {
  const before = Deno.env.get("XLA_FLAGS");
  Deno.test.beforeAll(() =>
    Deno.env.set(
      "XLA_FLAGS",
      // the first two compile several times as fast; on a CPU, where no run uses XLA, its minimum and maximum would lose NaN
      "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true --xla_cpu_enable_fast_min_max=false",
    )
  );
  Deno.test.afterAll(() => before === undefined ? Deno.env.delete("XLA_FLAGS") : Deno.env.set("XLA_FLAGS", before));
}
