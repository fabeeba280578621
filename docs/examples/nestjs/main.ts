// npx tsc -p docs/examples/nestjs && node .build/examples/nestjs/main.js
// curl -i http://127.0.0.1:3000/books/9780141439518
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.js';

const app = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
// SIGTERM and SIGINT: running requests are answered first, then the process ends as well as it can.
app.enableShutdownHooks([], { useProcessExit: true });
await app.listen(Number(process.env['PORT'] ?? 3000));
console.log(await app.getUrl());
