import { Premier } from 'premier';

/** What must not compile, in both decorator modes: each marked line is an error that holds the words after the mark. */
const premier = new Premier();
interface User {
  readonly id: string;
}

class Service {
  @premier.retry() // refused: this policy needs an async method
  sync(): number {
    return 1;
  }

  @premier.timeout(1) // refused: this policy needs an async method
  sometimes(): number | Promise<number> {
    return 1;
  }

  @premier.cacheResult({ cacheKey: (id: number) => String(id) }) // refused: a callback's parameters do not accept
  async wrongKeyArgument(id: string): Promise<string> {
    return id;
  }

  @premier.fixedWindow({ quota: 1, duration: 1, keymaker: (_id: string, extra: string) => extra }) // refused: a callback's parameters
  async tooManyKeyArguments(id: string): Promise<string> {
    return id;
  }

  @premier.fallback(null) // refused: the fallback returns something that the method does not
  async wrongFallback(): Promise<User> {
    return { id: '' };
  }
}

premier.retry({ maxAttempt: 3 }); // refused: maxAttempt
premier.retry({ wait: 'soon' }); // refused: not assignable
premier.timeout('5'); // refused: not assignable
premier.fixedWindow({ quota: 1 }); // refused: duration
premier.throttle({ algorithm: 'bucket', quota: 1, duration: 1 }); // refused: not assignable
premier.slidingWindow({ quota: '10', duration: 1 }); // refused: not assignable
premier.cacheResult({ scope: 'tenant' }); // refused: not assignable
premier.cacheResult({ cacheKey: (id: number) => String(id) })(async (id: string) => id); // refused: not assignable
premier.on('cacheHits', () => undefined); // refused: not assignable
void Service;
