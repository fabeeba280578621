/** An error that is part of the traffic, not a mistake: to walk the stack would cost more than the rest of the request. */
export class Stackless extends Error {
  constructor(message: string, options?: ErrorOptions) {
    const before = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    super(message, options);
    Error.stackTraceLimit = before;
  }
}
