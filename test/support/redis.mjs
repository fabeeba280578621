// Sees to it, before the tests, that there is a Redis: PREMIER_TEST_REDIS_URL, or `redis-server`, which a Debian container gets here.
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';

const runs = (command, args) => spawnSync(command, args, { stdio: 'ignore' }).status === 0;
const installed = () => runs('redis-server', ['--version']);

/** Installs the package, without starting its service: this is what Debian asks before it starts one. */
function install() {
  const policy = '/usr/sbin/policy-rc.d';
  const isOurs = !existsSync(policy);
  if (isOurs) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    for (const args of [['update'], ['install', '-y', '--no-install-recommends', 'redis-server']]) {
      const { status, stdout, stderr } = spawnSync('apt-get', args, { env, encoding: 'utf8' });
      if (status !== 0) console.error(`apt-get ${args.join(' ')}\n${stdout}${stderr}`);
    }
  } finally {
    if (isOurs) rmSync(policy, { force: true });
  }
}

if (!process.env.PREMIER_TEST_REDIS_URL && !installed()) {
  if (process.getuid?.() === 0 && runs('apt-get', ['--version'])) install();
  if (!installed()) {
    console.error(
      'The tests need Redis: install redis-server (Debian, Ubuntu: apt-get install redis-server; macOS: brew install redis), or set PREMIER_TEST_REDIS_URL to one that they may empty.',
    );
    process.exit(1);
  }
}
