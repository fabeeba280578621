import 'reflect-metadata';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Controller, Get, Global, Injectable, Module, type OnModuleInit } from '@nestjs/common';
import { type PremierModuleOptions, PremierModule } from '../../src/adapters/nestjs/index.js';
import { OptionsError } from '../../src/core/errors.js';
import type { Provider } from '../../src/core/provider.js';
import { Premier } from '../../src/premier.js';
import { memory } from '../../src/providers/memory.js';
import { compiled, run } from './nestjsSupport.js';

/** A store that says when it is closed. */
function closing(): { readonly provider: Provider; readonly closed: () => number } {
  const provider = memory();
  let closed = 0;
  const close = provider.close.bind(provider);
  provider.close = async () => {
    closed++;
    await close();
  };
  return { provider, closed: () => closed };
}

@Injectable()
class Service implements OnModuleInit {
  seen = '';

  constructor(readonly premier: Premier) {}

  onModuleInit(): void {
    this.seen = this.premier.keyspace;
  }
}

@Controller()
class HelloController {
  @Get()
  hello(): string {
    return 'hello';
  }
}

@Module({ providers: [Service], exports: [Service] })
class FeatureModule {}

test('every module can inject the Premier, which is closed when the application closes', async () => {
  const { provider, closed } = closing();
  const { app } = await compiled({ imports: [FeatureModule, PremierModule.forRoot({ keyspace: 'shop', provider })] });
  await app.init();
  assert.equal(app.get(Service).premier, app.get(Premier));
  assert.equal(app.get(Service).seen, 'shop');
  assert.equal(closed(), 0);
  await app.close();
  assert.equal(closed(), 1);
});

test('a Premier of yours is used, and not closed', async () => {
  const { provider, closed } = closing();
  const premier = new Premier({ provider });
  const { app } = await compiled({ imports: [FeatureModule, PremierModule.forRoot({ premier })] });
  await app.init();
  assert.equal(app.get(Service).premier, premier);
  await app.close();
  assert.equal(closed(), 0);
});

test('options can come from what is injected, later', async () => {
  @Injectable()
  class Config {
    readonly keyspace = 'from-config';
    readonly quota = 1;
  }
  @Global()
  @Module({ providers: [Config], exports: [Config] })
  class ConfigModule {}

  const options = PremierModule.forRootAsync({
    imports: [ConfigModule],
    inject: [Config],
    useFactory: async (config: Config): Promise<PremierModuleOptions> => {
      await Promise.resolve();
      return { keyspace: config.keyspace, rateLimit: { quota: config.quota, duration: 60 } };
    },
  });
  await using nest = await run({ imports: [FeatureModule, options], controllers: [HelloController] });
  assert.equal(nest.app.get(Service).seen, 'from-config');
  assert.equal((await nest.get('/')).status, 200);
  assert.equal((await nest.get('/')).status, 429);
});

test('with isGlobal: false, only modules that import it can inject it', async () => {
  await assert.rejects(compiled({ imports: [FeatureModule, PremierModule.forRoot({ isGlobal: false })] }), /Premier/);
});

test('options that do not fit stop the application, and say what is wrong', async () => {
  const starting = (options: unknown): Promise<unknown> => compiled({ imports: [PremierModule.forRoot(options as PremierModuleOptions)] });
  const wrong: [unknown, RegExp][] = [
    [{ premier: new Premier(), keyspace: 'a' }, /option "keyspace" belongs into the new Premier\(\)/],
    [{ premier: {} }, /option "premier" must be a Premier/],
    [{ keyspaces: 'a' }, /unknown option "keyspaces"; did you mean "keyspace"/],
    [{ rateLimit: { quota: 1, duration: '5 parsecs' } }, /RateLimit: option "duration"/],
  ];
  for (const [options, message] of wrong) {
    await assert.rejects(starting(options), (error) => error instanceof OptionsError && message.test(error.message), String(message));
  }
});
