import { typedCodec } from '../../src/redis/codec.js';

export const encode = (value: unknown): string => typedCodec.encode(value);
export const decode = (text: string): unknown => typedCodec.decode(text);
/** A value after a round trip. */
export const again = (value: unknown): unknown => decode(encode(value));
export const parsed = (json: string): unknown => JSON.parse(json);
/** The same record without a prototype. */
export const bare = (record: object): unknown => Object.assign(Object.create(null) as object, record);
/** A value with properties of its own. */
export const own = (value: object, more: object): object => Object.assign(value, more);
