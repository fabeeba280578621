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
  child.once('exit', (code) => {
    if (code) console.error(`${name} ended with ${code}`);
  });
  const [{ port }] = await once(child, 'message');
  return {
    name,
    url: `http://127.0.0.1:${port}`,
    async usage() {
      child.send('usage');
      return (await once(child, 'message'))[0];
    },
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.disconnect();
      await once(child, 'exit');
    },
  };
}
