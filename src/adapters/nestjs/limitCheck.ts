import { Inject, Injectable, type OnModuleInit, type Type } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import type { Callable } from '../../core/call.js';
import { rateLimitKey } from './rateLimit.js';
import { RequestLimits } from './requestLimits.js';

/** Makes every limit when the application starts: two that cannot live under one name are told then, not to a caller. */
export class LimitCheck implements OnModuleInit {
  readonly #discovery: DiscoveryService;
  readonly #limits: RequestLimits;

  constructor(discovery: DiscoveryService, limits: RequestLimits) {
    this.#discovery = discovery;
    this.#limits = limits;
  }

  onModuleInit(): void {
    this.#limits.prepareDefault();
    const scanner = new MetadataScanner();
    for (const { metatype } of this.#discovery.getControllers().concat(this.#discovery.getProviders())) {
      const prototype: unknown = typeof metatype === 'function' ? metatype.prototype : undefined;
      if (typeof prototype !== 'object' || prototype === null) continue;
      for (const name of scanner.getAllMethodNames(prototype)) {
        const method = (prototype as Record<string, Callable>)[name] as Callable;
        if (Reflect.hasMetadata(rateLimitKey, method))
          this.#limits.prepare({ getClass: <T>() => metatype as Type<T>, getHandler: () => method });
      }
    }
  }
}

Injectable()(LimitCheck);
Inject(DiscoveryService)(LimitCheck, undefined, 0);
Inject(RequestLimits)(LimitCheck, undefined, 1);
