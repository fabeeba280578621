import { randomUUID } from 'node:crypto';
import express, { type Express, type Request, type Response } from 'express';
import type { Premier } from 'premier';
import { type Book, type Catalog, makeCatalog } from './catalog.js';
import { answerErrors, HttpError, onlyMethods, unknownRoute } from './errors.js';
import { isbn13 } from './isbn13.js';
import { makeSendOrder } from './orders.js';

/** The shop: looks books up at its supplier, and orders them there. */
export function makeBookshop({ premier, supplierUrl }: { premier: Premier; supplierUrl: string }): Express {
  const catalog = makeCatalog({ premier, supplierUrl });
  const sendOrder = makeSendOrder({ premier, supplierUrl });

  // Three orders in ten seconds for each client. A policy goes around a route handler as around any other function.
  const quota = premier.slidingWindow({ quota: 3, duration: 10, keymaker: (request: Request) => request.ip ?? 'unknown' });
  const placeOrder = quota(async function placeOrder(request: Request, response: Response): Promise<void> {
    const body = request.body as { isbn?: unknown } | undefined;
    const { isbn } = await findBook(catalog, body?.isbn);
    const id = randomUUID();
    await sendOrder({ id, isbn });
    response.status(201).json({ id, isbn });
  });

  const shop = express();
  shop.disable('x-powered-by');
  shop.set('trust proxy', 'loopback');
  shop.use(express.json());
  shop
    .route('/books/:isbn')
    .get(async (request, response) => void response.json(await findBook(catalog, request.params.isbn)))
    .all(onlyMethods('GET, HEAD'));
  shop.route('/orders').post(placeOrder).all(onlyMethods('POST'));
  shop.use(unknownRoute);
  shop.use(answerErrors);
  return shop;
}

async function findBook(catalog: Catalog, given: unknown): Promise<Book> {
  const book = await catalog.find(isbn13(given));
  if (book) return book;
  throw new HttpError(404, 'BOOK_UNKNOWN', 'no such book');
}
