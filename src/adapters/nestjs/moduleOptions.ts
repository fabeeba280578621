import type { InjectionToken, ModuleMetadata, OptionalFactoryDependency } from '@nestjs/common';
import { OptionsError } from '../../core/errors.js';
import { Premier } from '../../premier.js';
import type { PremierOptions } from '../../premierOptions.js';
import type { RateLimitOptions } from './requestLimit.js';

/** What `PremierModule` works with: a Premier of yours, or the options of one that it makes and closes. */
export interface PremierModuleOptions extends PremierOptions {
  /** A Premier that is used, and not closed. */
  premier?: Premier;
  /** The limit of everything that has none of its own. */
  rateLimit?: RateLimitOptions;
}

/** What `PremierModule` registers. */
export interface PremierModuleExtras {
  /**
   * Whether all modules can inject the Premier without importing this one.
   * @default true
   */
  isGlobal?: boolean;
  /**
   * Whether errors of Premier are answered with their status everywhere.
   * @default true
   */
  filters?: boolean;
  /**
   * Whether limits hold everywhere. With `false`, where `@UseGuards(PremierGuard)` stands.
   * @default true
   */
  guard?: boolean;
}

/** Options of `PremierModule.forRoot`. */
export interface PremierRootOptions extends PremierModuleOptions, PremierModuleExtras {}

/** Options of `PremierModule.forRootAsync`. */
export interface PremierRootAsyncOptions extends PremierModuleExtras {
  imports?: NonNullable<ModuleMetadata['imports']>;
  inject?: (InjectionToken | OptionalFactoryDependency)[];
  /** Makes the options of what is injected. */
  useFactory: (...injected: never[]) => PremierModuleOptions | Promise<PremierModuleOptions>;
}

/** The token of the options. */
export const settingsToken: unique symbol = Symbol.for('premier.nestjs.settings');

/** The Premier of an application, and whether the module made it. */
export class PremierHolder {
  readonly premier: Premier;
  readonly own: boolean;

  constructor({ premier, rateLimit: _limit, ...options }: PremierModuleOptions) {
    this.own = premier === undefined;
    if (premier === undefined) {
      this.premier = new Premier(options);
      return;
    }
    // No `instanceof`: it may come from another copy of the package.
    if (typeof (premier as Partial<Premier> | null)?.use !== 'function')
      throw new OptionsError('PremierModule: option "premier" must be a Premier, made by new Premier()');
    const [extra] = Object.keys(options);
    if (extra !== undefined)
      throw new OptionsError(`PremierModule: option "${extra}" belongs into the new Premier() that is given as "premier"`);
    this.premier = premier;
  }
}
