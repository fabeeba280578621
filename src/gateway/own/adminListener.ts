import { OptionsError } from '../../core/errors.js';

/** Where the own paths are served instead of the main port. */
export interface AdminListener {
  readonly host: string;
  readonly port: number;
}

/** Reads `admin.listener`: `127.0.0.1:9000`, `[::1]:9000`, `:9000` or `9000`. Without a host it is this machine alone. Throws `OptionsError`. */
export function adminListenerOf(given: string): AdminListener {
  const [, bracketed, plain, digits] = /^(?:(?:\[([^\]]+)\]|([^:]*)):)?(\d{1,5})$/.exec(given) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535) throw new OptionsError(`admin.listener: '${given}' is no address; write it as 127.0.0.1:9000`);
  return { host: bracketed ?? (plain === undefined || plain === '' ? '127.0.0.1' : plain), port };
}
