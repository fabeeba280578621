import type { Answer } from '../exchange.js';

const unstored = new WeakSet<Answer>();

/** Marks an answer that stands in for one that failed: no cache may keep it, whatever the upstream usually allows. */
export function neverStored(answer: Answer): Answer {
  unstored.add(answer);
  return answer;
}

/** Whether no cache may keep it. */
export function isNeverStored(answer: Answer): boolean {
  return unstored.has(answer);
}
