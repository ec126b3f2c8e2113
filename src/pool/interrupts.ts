/** Requests of a person to a running grid. */
export interface Interrupts {
  /** Aborted by the first Ctrl-C: checkpoint and stop. */
  readonly stop: AbortSignal;
  /** Aborted by the second one: stop now. */
  readonly kill: AbortSignal;
}

/** Signals that ask a process to stop; Windows knows only one of them. */
export const STOP_SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];

/** Listens for Ctrl-C (and SIGTERM) until `dispose` is called. */
export function listenForInterrupts(): Interrupts & { dispose(): void } {
  const stop = new AbortController();
  const kill = new AbortController();
  function onSignal(): void {
    if (stop.signal.aborted) kill.abort();
    else stop.abort();
  }
  for (const signal of STOP_SIGNALS) Deno.addSignalListener(signal, onSignal);
  return {
    stop: stop.signal,
    kill: kill.signal,
    dispose(): void {
      for (const signal of STOP_SIGNALS) Deno.removeSignalListener(signal, onSignal);
    },
  };
}
