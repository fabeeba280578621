import type { Exchange } from '../../http/exchange.js';
import type { TunnelOptions } from './tunnel.js';

const options = new WeakMap<Exchange, TunnelOptions>();

/** Says what the tunnel of a handshake is held to, once there is one. */
export function holdTunnel(exchange: Exchange, to: TunnelOptions): void {
  options.set(exchange, to);
}

/** What the tunnel of a handshake is held to. */
export function tunnelOptionsOf(exchange: Exchange): TunnelOptions | undefined {
  return options.get(exchange);
}
