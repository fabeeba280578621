import { ballot, type BallotAction, type BallotDecision } from '../algorithms/index.js';
import { prefixOf } from '../core/keyspace.js';
import type { Runtime } from '../core/policy.js';
import { openStore } from '../core/provider.js';
import type { Circuit, CircuitPeers, CircuitState } from './circuit.js';
import { nodeOf } from './node.js';

/** How often to look what the others say, in milliseconds: while all is well, and while it is not. */
const calmly = 1000;
const eagerly = 250;

/**
 * Lets a circuit decide together with those of the same name in other processes. It looks at its own calls alone; when it opens, it votes, and
 * opens as well when a majority has. No call waits for the others: their word is asked for beside the calls, and when the store cannot be asked
 * the circuit is on its own.
 */
export function attendBallot(circuit: Circuit, runtime: Runtime, recoveryTimeout: number): Circuit {
  circuit.peers = new Peers(circuit, runtime, recoveryTimeout);
  return circuit;
}

class Peers implements CircuitPeers {
  readonly #circuit: Circuit;
  readonly #span: number;
  readonly #now: () => number;
  readonly #ask: (action: BallotAction) => Promise<BallotDecision>;
  /** Whether the others hold it open too. */
  #together = false;
  /** Until when this process has leave to probe. */
  #leave = 0;
  #asked = -Infinity;
  #probing = false;
  /** How often the circuit changed by itself. */
  #changes = 0;
  /** While the others' word is carried out, the circuit's changes are not this process's own. */
  #obeying = false;

  constructor(circuit: Circuit, { provider, keyspace, clock }: Runtime, span: number) {
    const store = openStore(provider, prefixOf(keyspace, 'circuit', circuit.name));
    const node = nodeOf(provider);
    this.#circuit = circuit;
    this.#span = span;
    this.#now = () => clock.monotonic();
    this.#ask = async (action) => store.step('', ballot, { node, action, span });
    circuit.heardBy((_circuit, state) => this.#changed(state));
  }

  called(): void {
    const wait = this.#together || this.#circuit.state !== 'closed' ? eagerly : calmly;
    if (this.#now() - this.#asked >= wait) this.#say('look');
  }

  mayProbe(): true | number {
    if (!this.#together || this.#now() < this.#leave) return true;
    if (!this.#probing) {
      this.#probing = true;
      this.#say('probe');
    }
    return eagerly;
  }

  /** This process's own circuit changed: the others hear of it. */
  #changed(state: CircuitState): void {
    if (this.#obeying || state === 'half_open') return;
    this.#changes++;
    const probed = this.#now() < this.#leave;
    this.#leave = 0;
    if (state === 'closed') {
      this.#together = false;
      this.#say('good');
    } else this.#say(probed ? 'bad' : 'trip');
  }

  #say(action: BallotAction): void {
    this.#asked = this.#now();
    // #changed has counted before it says so.
    const changes = this.#changes;
    const answered = (): void => {
      if (action === 'probe') this.#probing = false;
    };
    this.#ask(action).then(
      (decision) => {
        answered();
        // What was asked before the circuit changed says nothing about it any more.
        if (changes === this.#changes) this.#heard(action, decision);
      },
      () => {
        answered();
        // Nobody to ask: from here on it decides alone.
        this.#together = false;
      },
    );
  }

  #heard(action: BallotAction, { state, retryAfter, granted }: BallotDecision): void {
    const { state: mine } = this.#circuit;
    this.#obeying = true;
    if (granted) this.#leave = this.#now() + this.#span;
    if (state === 'open') {
      this.#together = true;
      if (mine === 'closed' || (mine === 'half_open' && this.#now() >= this.#leave)) this.#circuit.forceOpen(retryAfter);
    } else if (state === 'half_open') {
      this.#together = true;
      if (mine === 'closed') this.#circuit.forceOpen(0);
    } else if (this.#together && action !== 'trip') {
      // The others closed it.
      this.#together = false;
      if (mine !== 'closed' && this.#circuit.info.retryAfter !== Infinity) this.#circuit.close();
    }
    this.#obeying = false;
  }
}
