import { OptionsError } from '../core/errors.js';
import { type FetchApp, forwardToFetch } from '../http/fetchApp.js';
import { forwardToNode, handToNode, type NodeApp } from '../http/nodeApp.js';
import { after } from './after.js';
import type { Forward } from './feature.js';
import type { Target } from './pipeline.js';

/** An app in the manner of Koa: its listener is made by a call. */
export interface CallbackApp {
  callback(): NodeApp;
}

/** An app that a gateway may stand in front of: a listener of `node:http` (Express is one), an object with `fetch`, or one with `callback()`. */
export type App = NodeApp | FetchApp | CallbackApp | typeof after;

/** The innermost place of a pipeline in front of an app. Throws `OptionsError` for what is none. */
export function appTarget(app: App, upgrade: Forward): Target {
  const given: unknown = app;
  if (given === after) return { ...after, forward: bothWays(after.forward, upgrade) };
  if (typeof given === 'function') return nodeTarget(given as NodeApp, upgrade);
  if (typeof given === 'object' && given !== null) {
    if (typeof (given as CallbackApp).callback === 'function') return nodeTarget((given as CallbackApp).callback(), upgrade);
    if (typeof (given as FetchApp).fetch === 'function')
      return { service: '', key: 'app', forward: bothWays(forwardToFetch(given as FetchApp), upgrade), hand: undefined };
  }
  if (typeof (given as { routing?: unknown } | null)?.routing === 'function')
    throw new OptionsError('app: of a Fastify instance give `routing`, after `await app.ready()`');
  throw new OptionsError('app: give a (request, response) listener, an object with fetch(request), or one with callback() as Koa has');
}

function nodeTarget(app: NodeApp, upgrade: Forward): Target {
  return { service: '', key: 'app', forward: bothWays(forwardToNode(app), upgrade), hand: handToNode(app) };
}

function bothWays(forward: Forward, upgrade: Forward): Forward {
  return (exchange, call) => (exchange.upgrade === undefined ? forward(exchange, call) : upgrade(exchange, call));
}
