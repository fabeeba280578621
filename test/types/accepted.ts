import { Premier, pipe, retry, timeout } from 'premier';

/** What must compile, in both decorator modes. */
const premier = new Premier();
interface User {
  readonly id: string;
}
type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(equal: Equal<A, B>): boolean => equal;

class Repository<E extends { readonly id: string }> {
  tenant = 'a';

  @premier.cacheResult({ expireS: '5m', cacheKey: (id: string) => `user:${id}`, tags: (user: User) => [user.id] })
  @premier.slidingWindow({ quota: 100, duration: 60, keymaker: (id) => `user:${id}` })
  @premier.retry({ maxAttempts: 3, wait: { base: '100ms', jitter: 'full' }, exceptions: [TypeError] })
  @premier.timeout('2s')
  async find(id: string, options?: { readonly fresh: boolean }): Promise<User> {
    return { id: id + String(options?.fresh) };
  }

  @premier.cacheResult({
    cacheKey(this: { readonly tenant: string }, id: string) {
      return [this.tenant, id];
    },
  })
  async scoped(id: string): Promise<string> {
    return id;
  }

  @premier.retry()
  async save(entity: E): Promise<E> {
    return entity;
  }

  @premier.retry()
  async identity<T>(value: T): Promise<T[]> {
    return [value];
  }

  @premier.timeout(1)
  async self(): Promise<this> {
    return this;
  }

  @premier.fallback([])
  async list(): Promise<User[]> {
    return [];
  }

  @premier.circuitBreaker({ key: (host: string) => host, fallback: null })
  async maybe(host: string): Promise<User | null> {
    return host === '' ? null : { id: host };
  }

  @premier.timeit()
  count(): number {
    return 1;
  }

  @premier.timeit()
  async later(): Promise<number> {
    return 1;
  }

  @premier.bulkhead({ maxConcurrent: 2 })
  static async all(): Promise<number> {
    return 1;
  }
}

const generic = premier.retry()(async <T>(value: T): Promise<T[]> => [value]);
same<typeof generic, <T>(value: T) => Promise<T[]>>(true);

const fromSync = premier.cacheResult()(function size(text: string): number {
  return text.length;
});
same<ReturnType<typeof fromSync>, Promise<number>>(true);
same<Parameters<typeof fromSync>, [text: string]>(true);

const stillSync = premier.timeit()((n: number) => n * 2);
same<ReturnType<typeof stillSync>, number>(true);

const fetchUser = async (id: string): Promise<User> => ({ id });
const guarded = pipe(retry({ maxAttempts: 3 }), timeout(2))(fetchUser);
same<typeof guarded, (id: string) => Promise<User>>(true);

void new Repository<User>().find('1').then((user) => same<typeof user, User>(true));
