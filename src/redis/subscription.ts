import type { Hearing, Subscription } from '../core/provider.js';

/** A subscription that stands. */
interface Heard {
  ping(): Promise<unknown>;
}

/** Opens a connection and subscribes. `hold` is told at once how to end it, `lost` when it ended by itself. */
type Open = (lost: () => void, hold: (close: () => void) => void) => Promise<Heard>;

/** How long to wait before the next connection, for it to stand, and between two looks whether it still answers. */
const reconnectMs = 100;
const connectMs = 5000;
const heartbeatMs = 1000;

/** Keeps a subscription alive: opens it again when it is lost, or when it no longer answers a ping within a second. */
export function keepHearing({ up, down }: Hearing, open: Open): Subscription {
  let closed = false;
  let release: (() => void) | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const later = (action: () => void, ms: number): void => {
    clearTimeout(timer);
    timer = setTimeout(action, ms);
    timer.unref();
  };
  const connect = (): void => {
    let over = false;
    const lost = (): void => {
      if (over) return;
      over = true;
      release?.();
      if (closed) return;
      down();
      later(connect, reconnectMs);
    };
    let end: (() => void) | undefined;
    const hold = (close: () => void): void => {
      end = release = () => {
        try {
          close();
        } catch {
          // It is not open yet, or no longer.
        }
      };
    };
    const beat = (heard: Heard): void => {
      if (over || closed) return;
      later(lost, heartbeatMs);
      heard.ping().then(() => {
        if (!over && !closed) later(() => beat(heard), heartbeatMs);
      }, lost);
    };
    later(lost, connectMs);
    open(lost, hold).then((heard) => {
      // Some clients cannot be ended before they stand.
      if (over || closed) return end?.();
      clearTimeout(timer);
      up();
      beat(heard);
    }, lost);
  };
  connect();
  return {
    close() {
      closed = true;
      clearTimeout(timer);
      release?.();
    },
  };
}
