import { after } from 'node:test';
import { type RedisServer, startRedis } from './redisServer.js';

const given = process.env['PREMIER_TEST_REDIS_URL'] ?? '';
let started: Promise<RedisServer> | undefined;
after(async () => (await started)?.stop());

/** One plain Redis for a test file: the one of `PREMIER_TEST_REDIS_URL`, or one that is started here and stopped after the last test. */
export async function redisUrl(): Promise<string> {
  return given === '' ? (await (started ??= startRedis())).url : given;
}
