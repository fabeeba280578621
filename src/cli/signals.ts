/** What a process does about the signals of its operator. */
export interface SignalActions {
  /** The first SIGTERM or SIGINT: end in an orderly way. */
  readonly stop: () => void;
  /** The second one: end now. */
  readonly kill: () => void;
  /** SIGHUP: read the configuration again. */
  readonly reload: () => void;
}

/** Listens for signals. Returns how to stop that. */
export function onSignals({ stop, kill, reload }: SignalActions): () => void {
  let told = false;
  const end = (): void => {
    if (told) return kill();
    told = true;
    stop();
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  process.on('SIGHUP', reload);
  return () => {
    process.off('SIGTERM', end);
    process.off('SIGINT', end);
    process.off('SIGHUP', reload);
  };
}
