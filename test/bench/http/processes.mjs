import { fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';

const path = fileURLToPath(new URL('child.mjs', import.meta.url));

/** Whether processes can be tied to a core each: what is measured on the first one, what asks and answers on the second. */
export const pinned = availableParallelism() > 1 && spawnSync('taskset', ['-V']).status === 0;
const measured = '0';
export const others = '1';

/** Starts a server of `servers.mjs`, or the backend. */
export async function open(name, { target = '', core = measured, flags = [], env = {} } = {}) {
  const command = pinned ? { execPath: 'taskset', execArgv: ['-c', core, process.execPath, ...flags] } : { execArgv: flags };
  const child = fork(path, [name, target], { ...command, env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const ended = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`${name} ended with ${signal ?? code}`);
  });
  // Also when nobody waits for it.
  ended.catch(() => undefined);
  const [{ port }] = await Promise.race([once(child, 'message'), ended]);
  return {
    name,
    url: `http://127.0.0.1:${port}`,
    async usage() {
      child.send('usage');
      return (await Promise.race([once(child, 'message'), ended]))[0];
    },
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.disconnect();
      await once(child, 'exit');
    },
  };
}
