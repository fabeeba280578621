import type { Hearing, Subscription } from '../core/provider.js';

/** A subscription that stands. */
interface Heard {
  ping(): Promise<unknown>;
  close(): void;
}

/** How long to wait before the next connection, for it to stand, and between two looks whether it still answers. */
const reconnectMs = 100;
const connectMs = 5000;
const heartbeatMs = 1000;

/** Keeps a subscription alive: opens it again when it is lost, or when it no longer answers a ping within a second. */
export function keepHearing({ up, down }: Hearing, open: (lost: () => void) => Promise<Heard>): Subscription {
  let closed = false;
  let present: Heard | undefined;
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
      const last = present;
      present = undefined;
      release(last);
      if (closed) return;
      down();
      later(connect, reconnectMs);
    };
    const beat = (heard: Heard): void => {
      if (over) return;
      later(lost, heartbeatMs);
      heard.ping().then(() => {
        if (!over && !closed) later(() => beat(heard), heartbeatMs);
      }, lost);
    };
    later(lost, connectMs);
    open(lost).then((heard) => {
      if (over || closed) return release(heard);
      present = heard;
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
      const last = present;
      present = undefined;
      release(last);
    },
  };
}

function release(heard: Heard | undefined): void {
  try {
    heard?.close();
  } catch {
    // It was gone already.
  }
}
