import type { ErrorRequestHandler, RequestHandler } from 'express';

/** An error that says what to answer, in the fields that the errors of Premier have too. */
export class HttpError extends Error {
  readonly expose = true;

  constructor(
    readonly statusCode: number,
    readonly code: string,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** What an error may say about its answer: ours, those of Premier and those of Express do. */
interface Answerable {
  readonly statusCode?: number;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly code?: string;
  readonly message?: string;
  readonly expose?: boolean;
}

/** Answers every error as JSON. What a client must not read goes to the console instead. */
export const answerErrors: ErrorRequestHandler = (error: Answerable, _request, response, next) => {
  if (response.headersSent) return next(error);
  const status = error.statusCode ?? error.status ?? 500;
  const expose = error.expose ?? status < 500;
  if (!expose) console.error(error);
  const body = expose
    ? { error: error.code ?? 'REQUEST_INVALID', message: error.message }
    : { error: 'INTERNAL', message: 'something went wrong here' };
  response
    .status(status)
    .set(error.headers ?? {})
    .json(body);
};

/** Refuses the methods that a route does not have. */
export const onlyMethods =
  (allow: string): RequestHandler =>
  (request) => {
    throw new HttpError(405, 'METHOD_NOT_ALLOWED', `${request.path} takes ${allow}`, { allow });
  };

/** Refuses what no route has taken. */
export const unknownRoute: RequestHandler = () => {
  throw new HttpError(404, 'ROUTE_UNKNOWN', 'there are GET /books/:isbn and POST /orders');
};
