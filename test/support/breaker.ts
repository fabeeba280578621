import { type CircuitBreakerOptions, Premier } from 'premier';
import { FakeClock } from 'premier/testing';
import { outcome } from './doubles.js';

/** A function under a circuit breaker, that ends as it is told, and what happens around it. */
export function breakerUnderTest(options: CircuitBreakerOptions = {}) {
  const clock = new FakeClock();
  const premier = new Premier({ clock });
  const events: string[] = [];
  for (const event of ['circuitOpened', 'circuitHalfOpened', 'circuitClosed', 'circuitRejected'] as const)
    premier.on(event, () => events.push(event));
  let runs = 0;
  const call = premier.circuitBreaker(options)(async function call(ends: 'well' | Error | Promise<unknown>) {
    runs++;
    if (ends instanceof Error) throw ends;
    return ends;
  });
  const fail = async (times = 1) => {
    for (let i = 0; i < times; i++) await outcome(call(new Error('no')));
  };
  const circuit = () => premier.breakers[0];
  return { clock, premier, events, call, fail, circuit, runs: () => runs };
}
