/**
 * What connections are made with. By the name of its file: Bun answers `undici` with a module of its own, which has a `Client` that does
 * nothing.
 */
export { buildConnector, Client } from 'undici/index.js';
