import { z } from 'zod';
import { durationWants, parseDuration } from '../../core/duration.js';

/** A span: seconds as a number, or a text such as `500ms`. Resolved to milliseconds. */
export const duration = (): z.ZodType<number, number | string> =>
  z.union([z.number(), z.string()], { error: `must be ${durationWants}` }).transform((given, context) => {
    const ms = parseDuration(given);
    if (ms !== undefined) return ms;
    context.addIssue({ code: 'custom', message: `must be ${durationWants}` });
    return z.NEVER;
  });

/** A span in which something has to happen: longer than none. */
export const span = (): z.ZodType<number, number | string> => duration().refine((ms) => ms > 0, 'must be longer than 0');

/** A span that a timer of Node's can take; 0 is none. */
export const timer = (): z.ZodType<number, number | string> => duration().refine((ms) => ms < 2 ** 31, 'must be shorter than 24 days');

/** A whole number of at least `min`. */
export const count = (min: number = 0): z.ZodNumber =>
  z.int(`must be a whole number of at least ${min}`).min(min, `must be at least ${min}`);

/** A text that is not empty. */
export const word = (): z.ZodString => z.string().min(1, 'must not be empty');

/** An HTTP status. */
export const status = (): z.ZodNumber =>
  z.int('must be an HTTP status').min(200, 'must be from 200 to 599').max(599, 'must be from 200 to 599');

/** A token of RFC 9110 5.6.2. */
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** The name of a header field. */
export const fieldName = (): z.ZodString => z.string().regex(token, 'must be the name of a header field');

/** The name of a cookie: a token too (RFC 6265 4.1.1). */
export const cookieName = (): z.ZodString => z.string().regex(token, 'must be the name of a cookie');

/** The value of a header field: no line break may come in by it. What is beyond Latin-1 goes as the bytes of its UTF-8. */
export const fieldValue = (): z.ZodType<string, string | number | boolean> =>
  z
    .union([z.string(), z.number(), z.boolean()])
    .transform(String)
    .refine((given) => !/(?!\t)\p{Cc}/u.test(given), 'must not contain line breaks or other control characters')
    .transform((given) => (/[^\0-\xff]/.test(given) ? Buffer.from(given).toString('latin1') : given));

/** An HTTP method, in capitals. */
export const method = (): z.ZodType<string, string> =>
  z
    .string()
    .regex(/^[A-Za-z-]+$/, 'must be an HTTP method')
    .transform((given) => given.toUpperCase());

/** An `http:` or `https:` address, which may end in a path. */
export const origin = (): z.ZodType<string, string> =>
  z.string().transform((given, context) => {
    const parsed = URL.canParse(given) ? new URL(given) : undefined;
    const plain = parsed && /^https?:$/.test(parsed.protocol) && parsed.username === '' && parsed.search === '' && parsed.hash === '';
    if (plain) return given.replace(/\/+$/, '');
    const surplus = parsed && /^https?:$/.test(parsed.protocol) ? ', without a user, a query or a #' : '';
    context.addIssue({ code: 'custom', message: `must be an address such as http://backend:8000${surplus}` });
    return z.NEVER;
  });

/** Header fields to set. Not those that say where a body ends: two parties that disagree about it can be made to mix up answers (smuggling). */
export const fieldValues = (): z.ZodType<Record<string, string>, Record<string, string | number | boolean>> =>
  z.record(fieldName(), fieldValue()).superRefine((given, context) => {
    for (const name of Object.keys(given))
      if (/^(?:content-length|transfer-encoding)$/i.test(name))
        context.addIssue({ code: 'custom', path: [name], message: 'must not be set: the gateway says itself where a body ends' });
  });

/** An address or a block of addresses, such as `10.0.0.0/8`. */
export const addressBlock = (): z.ZodString =>
  z
    .string()
    .regex(
      /^[0-9a-fA-F.:]+(\/\d{1,3})?$|^(loopback|private)$/,
      'must be an address, a block such as 10.0.0.0/8, or one of loopback, private',
    );
