import { after } from 'node:test';
import { startRedis } from './redisServer.js';

let started: Promise<string> | undefined;

/** One plain Redis for a test file: the one of `PREMIER_TEST_REDIS_URL`, or one that is started here and stopped after the last test. */
export function redisUrl(): Promise<string> {
  return (started ??= start());
}

async function start(): Promise<string> {
  const given = process.env['PREMIER_TEST_REDIS_URL'];
  if (given !== undefined && given !== '') return given;
  const server = await startRedis();
  after(() => server.stop());
  return server.url;
}
