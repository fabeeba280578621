import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { RequestLimits } from './requestLimits.js';

/** Enforces `@RateLimit` and the limit of the module; refuses with `QuotaExceedsError`. Counts a request once, wherever it stands. */
export class PremierGuard implements CanActivate {
  readonly #limits: RequestLimits;

  constructor(limits: RequestLimits) {
    this.#limits = limits;
  }

  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    return this.#limits.admit(context);
  }
}

Injectable()(PremierGuard);
Inject(RequestLimits)(PremierGuard, undefined, 0);
