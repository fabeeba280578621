import { GatewayConfig } from '../../src/gateway/config/gatewayConfig.js';
import type { Fence } from './docs.js';

/** The variables that configurations in the documentation read. */
export const exampleVariables: Readonly<Record<string, string>> = {
  ADMIN_TOKEN: 'example',
  BACKEND_URL: 'http://backend:8000',
  MASTER_KEY: 'example',
  REDIS_URL: 'redis://localhost:6379/0',
};

/** What a fence in yaml may say about itself: `yaml` is a whole file, `yaml features` the features of one path, `yaml upstream` one pool. */
const kinds: ReadonlySet<string | undefined> = new Set([undefined, 'features', 'upstream']);

/** Why a fence in yaml does not load as the configuration that it shows; nothing where it does. */
export function complaintAbout(fence: Fence): string | undefined {
  const [language, kind] = fence.info;
  if (language !== 'yaml') return undefined;
  const place = `${fence.page}:${fence.line}`;
  if (!kinds.has(kind)) return `${place}: begin the fence with \`\`\`yaml, \`\`\`yaml features or \`\`\`yaml upstream`;
  try {
    const { warnings } = GatewayConfig.fromText(wholeConfig(fence), { env: exampleVariables });
    return warnings[0] && `${place}: ${warnings[0].message}`;
  } catch (error) {
    return `${place}: ${(error as Error).message}`;
  }
}

/** The file that a fence is, or is a part of. */
function wholeConfig({ code, info: [, kind] }: Fence): string {
  if (kind === 'features') return `premier:\n${servers}  paths:\n    - pattern: /api/*\n      features:\n${indented(code, 8)}\n`;
  if (kind === 'upstream') return `premier:\n  upstreams:\n    backend:\n${indented(code, 6)}\n`;
  return code;
}

/** With a second pool, for what needs one. */
const servers = '  servers: [http://backend:8000]\n  upstreams: { shadow: { servers: [http://shadow:8000] } }\n';

function indented(code: string, by: number): string {
  return code
    .split('\n')
    .map((line) => (line === '' ? '' : ' '.repeat(by) + line))
    .join('\n');
}
