import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../core/clock.js';
import { discard } from '../../http/body.js';
import type { Answer, Exchange } from '../../http/exchange.js';
import { answerOf, Problem, problemOf } from '../../http/problem.js';
import { randomHex } from '../../observe/randomHex.js';
import { checkUpgrade } from './handshake.js';
import { askAgain } from './ordinary.js';
import type { TunnelEnd } from './tunnel.js';
import { tunnelOptionsOf } from './tunnelOptions.js';
import type { Tunnels, Upgraded } from './tunnels.js';
import { writeAnswer } from './writeAnswer.js';

/** A handshake on its way through the policies. */
export interface Handshake {
  readonly answer: Promise<Answer>;
  /** The client has left. */
  abort(reason: unknown): void;
}

/** What a gateway does around its WebSockets. */
export interface UpgradeWays {
  readonly clock: Clock;
  readonly tunnels: Tunnels;
  /** Reads the request. */
  exchangeFor(request: IncomingMessage, socket: Duplex, head: Uint8Array): Exchange | Problem;
  /** Sends the exchange through its pipeline. */
  run(exchange: Exchange): Handshake;
  /** The handshake is over: with 101 the WebSocket is open and `ended` follows, with all else the client was refused; 499 when it had left. */
  answered(exchange: Exchange, status: number, error?: unknown): void;
  /** A WebSocket is closed. */
  ended(end: TunnelEnd): void;
}

/** The doorway of upgrades: every one of them is checked, goes through the policies, and ends as a tunnel or with an answer. */
export class Upgrades {
  readonly #ways: UpgradeWays;
  /** The clients whose handshakes are under way. */
  readonly #waiting = new Set<Duplex>();
  #closing = false;

  constructor(ways: UpgradeWays) {
    this.#ways = ways;
  }

  /** Takes what a server's `upgrade` event brings. With the `server`, what asks for no WebSocket is treated as an ordinary request there. */
  handle(request: IncomingMessage, socket: Duplex, head: Uint8Array, server?: Server): void {
    socket.on('error', ignore);
    // A handshake behind a request that is not answered yet: that answer would be written into the tunnel.
    if ((socket as { _httpMessage?: unknown })._httpMessage) return void socket.destroy();
    const asked = checkUpgrade(request);
    if (asked === 'other') {
      if (server === undefined) return this.#refuse(request, socket, new Problem('not_implemented'));
      socket.off('error', ignore);
      return askAgain(server, request, socket, head);
    }
    if (asked instanceof Problem) return this.#refuse(request, socket, asked);
    if (this.#closing) return this.#refuse(request, socket, new Problem('service_unavailable'));
    try {
      const exchange = this.#ways.exchangeFor(request, socket, head);
      if (exchange instanceof Problem) this.#refuse(request, socket, exchange);
      else this.#receive(exchange, socket);
    } catch (error) {
      this.#refuse(request, socket, problemOf(error));
    }
  }

  /** Takes no more WebSockets, and closes those that are open: see `Tunnels.closeAll`. */
  close(graceMs: number, code: number = 1001): Promise<void> {
    this.#closing = true;
    return this.#ways.tunnels.closeAll(code, graceMs);
  }

  /** Ends the handshakes that are under way. */
  giveUp(): void {
    for (const socket of this.#waiting) socket.destroy();
  }

  #receive(exchange: Exchange, socket: Duplex): void {
    const received = new Visitor(this.#ways, exchange, socket).run();
    this.#waiting.add(socket);
    void received.then(() => this.#waiting.delete(socket));
  }

  #refuse({ method }: IncomingMessage, socket: Duplex, problem: Problem): void {
    const id = randomHex(32);
    writeAnswer(socket, answerOf(problem, id), { clock: this.#ways.clock, reply: ['X-Correlation-ID', id], method });
  }
}

const ignore = (): void => undefined;

/** One client from its handshake until it has an answer, or has left. */
class Visitor {
  readonly #ways: UpgradeWays;
  readonly #exchange: Exchange;
  readonly #socket: Duplex;

  constructor(ways: UpgradeWays, exchange: Exchange, socket: Duplex) {
    this.#ways = ways;
    this.#exchange = exchange;
    this.#socket = socket;
  }

  /** Resolves, and never rejects, once the client has its answer. */
  run(): Promise<void> {
    const socket = this.#socket;
    const handshake = this.#ways.run(this.#exchange);
    const left = (): void => {
      waiting(false);
      socket.destroy();
      handshake.abort(new Problem('client_closed_request'));
    };
    // Nobody reads yet; without asking, an end would not be seen. Nothing is taken by it.
    const look = (): void => void socket.read(0);
    const waiting = (is: boolean): void => {
      const change = is ? 'on' : 'off';
      socket[change]('close', left)[change]('end', left)[change]('readable', look);
    };
    waiting(true);
    return handshake.answer
      .finally(() => waiting(false))
      .then(
        (answer) => this.#answer(answer),
        (error: unknown) => this.#write(answerOf(problemOf(error), this.#exchange.correlationId), error),
      )
      .catch(() => void socket.destroy());
  }

  #answer(answer: Answer): void {
    const ways = this.#ways;
    if (answer.handled === true) return ways.answered(this.#exchange, answer.status);
    if (answer.status !== 101) return this.#write(answer);
    if (answer.tunnel === undefined) {
      // Node takes a 101 that switches to nothing for an ordinary answer, whose connection stays open.
      discard(answer.body, gone);
      return this.#write(answerOf(new Problem('bad_gateway'), this.#exchange.correlationId));
    }
    const opened = ways.tunnels.open(this.#exchange, answer as Upgraded, tunnelOptionsOf(this.#exchange), (end) => ways.ended(end));
    ways.answered(this.#exchange, opened ? 101 : 499);
  }

  #write(answer: Answer, error?: unknown): void {
    const left = this.#socket.destroyed;
    answer.tunnel?.socket.destroy();
    if (left) discard(answer.body, gone);
    else writeAnswer(this.#socket, answer, { clock: this.#ways.clock, reply: this.#exchange.reply, method: this.#exchange.method });
    this.#ways.answered(this.#exchange, left ? 499 : answer.status, error);
  }
}

const gone = new Error('the client closed the connection');
