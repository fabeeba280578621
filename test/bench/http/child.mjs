// One server in a process of its own: tells its port, then what it has used whenever it is asked.
import { backend } from './backend.mjs';
import { servers } from './servers.mjs';

const [name, target] = process.argv.slice(2);
const port = name === 'backend' ? await backend() : await servers[name](target);
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send({ user, cpu: user + system, rss: process.memoryUsage.rss(), peak: process.resourceUsage().maxRSS * 1024 });
});
process.on('disconnect', () => process.exit());
process.send({ port });
