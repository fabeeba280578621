import { type DynamicModule, Inject, Module, type OnApplicationShutdown, type Provider } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, DiscoveryModule } from '@nestjs/core';
import { Premier } from '../../premier.js';
import { LimitCheck } from './limitCheck.js';
import {
  PremierHolder,
  type PremierModuleExtras,
  type PremierModuleOptions,
  type PremierRootAsyncOptions,
  type PremierRootOptions,
  settingsToken,
} from './moduleOptions.js';
import { PremierFilter } from './premierFilter.js';
import { PremierGuard } from './premierGuard.js';
import { PremierHealthIndicator } from './premierHealthIndicator.js';
import { RequestLimits } from './requestLimits.js';

/** Gives an application its Premier, to be injected as `Premier`, with limits on handlers and answers for errors. */
export class PremierModule implements OnApplicationShutdown {
  readonly #holder: PremierHolder;

  constructor(holder: PremierHolder) {
    this.#holder = holder;
  }

  /** With what is known now. */
  static forRoot({ isGlobal, filters, guard, ...options }: PremierRootOptions = {}): DynamicModule {
    return dynamic({ isGlobal, filters, guard }, { provide: settingsToken, useValue: options });
  }

  /** With what is known once others are there: a configuration, a connection. */
  static forRootAsync({ imports = [], inject = [], useFactory, ...extras }: PremierRootAsyncOptions): DynamicModule {
    const module = dynamic(extras, { provide: settingsToken, inject, useFactory });
    return { ...module, imports: [...(module.imports ?? []), ...imports] };
  }

  /** Nest calls it after the last request was answered. */
  async onApplicationShutdown(): Promise<void> {
    if (this.#holder.own) await this.#holder.premier.close();
  }
}

type Given = { readonly [K in keyof PremierModuleExtras]: PremierModuleExtras[K] | undefined };

function dynamic({ isGlobal = true, filters = true, guard = true }: Given, settings: Provider): DynamicModule {
  const providers: Provider[] = [
    settings,
    { provide: PremierHolder, inject: [settingsToken], useFactory: (options: PremierModuleOptions) => new PremierHolder(options) },
    { provide: Premier, inject: [PremierHolder], useFactory: ({ premier }: PremierHolder) => premier },
    RequestLimits,
    LimitCheck,
    PremierGuard,
    PremierFilter,
    PremierHealthIndicator,
  ];
  if (guard) providers.push({ provide: APP_GUARD, useExisting: PremierGuard });
  if (filters) providers.push({ provide: APP_FILTER, useExisting: PremierFilter });
  const exported = [Premier, RequestLimits, PremierGuard, PremierFilter, PremierHealthIndicator];
  return { module: PremierModule, global: isGlobal, imports: [DiscoveryModule], providers, exports: exported };
}

Module({})(PremierModule);
Inject(PremierHolder)(PremierModule, undefined, 0);
