import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';

const runs = (command: string, args: readonly string[]): boolean => spawnSync(command, args, { stdio: 'ignore' }).status === 0;

/** Where promtool is: as `PREMIER_TEST_PROMTOOL` says, on the path, or from the Debian package that a container gets here. Throws without it. */
export function promtool(): string {
  const named = process.env['PREMIER_TEST_PROMTOOL'] ?? 'promtool';
  if (runs(named, ['--version'])) return named;
  if (process.getuid?.() === 0 && runs('apt-get', ['--version'])) install();
  if (!runs('promtool', ['--version']))
    throw new Error(
      'This test needs promtool: install prometheus (Debian: apt-get install prometheus), or set PREMIER_TEST_PROMTOOL to it.',
    );
  return 'promtool';
}

/** Installs the package without starting its service: this is what Debian asks before it starts one. */
function install(): void {
  const policy = '/usr/sbin/policy-rc.d';
  const isOurs = !existsSync(policy);
  if (isOurs) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    for (const args of [['update'], ['install', '-y', '--no-install-recommends', 'prometheus']]) {
      const { status, stdout, stderr } = spawnSync('apt-get', args, { env, encoding: 'utf8' });
      if (status !== 0) console.error(`apt-get ${args.join(' ')}\n${stdout}${stderr}`);
    }
  } finally {
    if (isOurs) rmSync(policy, { force: true });
  }
}

/** What `promtool check metrics` complains about: nothing where all is well. */
export function lint(text: string): string {
  const { status, stdout, stderr } = spawnSync(promtool(), ['check', 'metrics'], { input: text, encoding: 'utf8' });
  return status === 0 ? '' : `${status}: ${stdout}${stderr}`;
}
