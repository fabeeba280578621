import { createServer, type Server, type ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import type { Book } from './catalog.js';

/** How the supplier takes a request: well, after two seconds, or not at all. */
export type Mood = 'well' | 'slow' | 'failing';

const books: readonly Book[] = [
  { isbn: '9780141439518', title: 'Pride and Prejudice', author: 'Jane Austen' },
  { isbn: '9780441172719', title: 'Dune', author: 'Frank Herbert' },
  { isbn: '9780547928227', title: 'The Hobbit', author: 'J. R. R. Tolkien' },
  { isbn: '9780140449136', title: 'Crime and Punishment', author: 'Fyodor Dostoevsky' },
];
/** Stands in the cellar: looking it up takes two seconds, whatever the mood. */
export const cellarIsbn = '9780140449136';

/** Slow now and then, failing now and then, but never twice in a row: a second try helps. */
export function moody(random: () => number = Math.random): () => Mood {
  let last: Mood = 'well';
  return () => {
    const dice = random();
    last = last !== 'well' || dice >= 0.4 ? 'well' : dice < 0.2 ? 'slow' : 'failing';
    return last;
  };
}

/** The supplier: `GET /books/:isbn` and `PUT /orders/:id`. It asks for its mood at each request. */
export function makeSupplier(mood: () => Mood = moody()): Server {
  const orders = new Set<string>();
  return createServer(async (request, response) => {
    const [, shelf, id = ''] = (request.url ?? '').split('/');
    request.resume();
    const now = id === cellarIsbn ? 'slow' : mood();
    if (now === 'failing') return answer(response, 503);
    if (now === 'slow') await pause(response);
    if (response.destroyed) return;
    if (shelf === 'orders' && request.method === 'PUT') {
      // An order that came before is no second one.
      answer(response, orders.has(id) ? 200 : 201);
      orders.add(id);
      return;
    }
    const book = shelf === 'books' ? books.find(({ isbn }) => isbn === id) : undefined;
    answer(response, book ? 200 : 404, book);
  });
}

/** Two seconds, or until the caller hangs up. */
async function pause(response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  await wait(2000, undefined, { signal: gone.signal }).catch(() => undefined);
}

function answer(response: ServerResponse, status: number, body: object = {}): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
