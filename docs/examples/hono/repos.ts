import { premier } from './premier.js';

const source = process.env['GITHUB_URL'] ?? 'https://api.github.com';

/** Asks GitHub. The first policy is the outermost. */
class Repos {
  /** How many stars a repository has, or `undefined` when there is none of that name. */
  @premier.cacheResult({ expireS: '5m' })
  @premier.circuitBreaker({ failureThreshold: 3, recoveryTimeout: '30s' })
  @premier.retry({ maxAttempts: 2, wait: { base: '100ms' } })
  @premier.timeout('500ms')
  async stars(owner: string, name: string): Promise<number | undefined> {
    const headers = { 'user-agent': 'premier-example' };
    const response = await fetch(`${source}/repos/${owner}/${name}`, { headers, signal: premier.signal });
    if (response.ok) return ((await response.json()) as { stargazers_count: number }).stargazers_count;
    await response.body?.cancel();
    if (response.status === 404) return undefined;
    throw new Error(`GitHub answered ${response.status}`);
  }
}

export const repos = new Repos();
