import { Module, type OnApplicationShutdown } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { PremierModule } from 'premier/nestjs';
import { Catalogue } from './catalogue.js';
import { premier } from './premier.js';
import { BooksController, HealthController, OrdersController } from './shop.js';

/** A shop for books. Errors of Premier are answered with 429, 503 and 504 wherever they are thrown. */
@Module({
  imports: [TerminusModule, PremierModule.forRoot({ premier, rateLimit: { quota: 100, duration: '1m' } })],
  controllers: [BooksController, OrdersController, HealthController],
  providers: [Catalogue],
})
export class AppModule implements OnApplicationShutdown {
  /** After the last request: the module closes only a Premier that it made itself. */
  async onApplicationShutdown(): Promise<void> {
    await premier.close();
  }
}
