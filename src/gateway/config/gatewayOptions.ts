import type { z } from 'zod';
import type { Duration } from '../../core/duration.js';
import type { featureSchemas } from './featureSchemas.js';
import type { configSchema, upstreamSchema } from './schema.js';

type Camel<Name extends string> = Name extends `${infer Head}_${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : Name;
type Compound = `${string}_${string}`;

/** The inside of a schema that also takes a short form, which hides its type from the outside. */
type Inside<S> = S extends z.ZodPreprocess<infer Out> ? z.input<Out> : never;
type Balance = Inside<ReturnType<(typeof upstreamSchema)['shape']['balance']['unwrap']>>;

/** What may stand where a key has a short form beside its mapping. */
interface Shortened {
  timeout: Duration | Spelled<Inside<typeof featureSchemas.timeout>>;
  balance: NonNullable<Balance['algorithm']> | Spelled<Balance>;
  servers: readonly (string | { readonly url: string; readonly weight?: number })[];
}

type Value<Key, Given> = unknown extends Given
  ? Key extends keyof Shortened
    ? Shortened[Key]
    : unknown
  : Given extends readonly unknown[]
    ? Key extends 'servers'
      ? Shortened['servers']
      : readonly Spelled<Given[number]>[]
    : Spelled<Given>;

/** A mapping whose keys may be written as in YAML or in camelCase. Free names stay as they are. */
type Spelled<Given> = Given extends readonly (infer Item)[]
  ? readonly Spelled<Item>[]
  : Given extends object
    ? string extends keyof Given
      ? { readonly [Name in keyof Given]: Spelled<Given[Name]> }
      : // Without the distinction, `& {}` would let any text in where all keys are optional.
        [Extract<keyof Given, Compound>] extends [never]
        ? Simple<Given>
        : Simple<Given> & TwoSpellings<Given>
    : Given;

type Simple<Given> = { readonly [Key in keyof Given as Key extends Compound ? never : Key]: Value<Key, Given[Key]> };

type TwoSpellings<Given> = {
  readonly [Key in keyof Given as Key extends Compound ? Key | Camel<Key> : never]?: Value<Key, Exclude<Given[Key], undefined>>;
};

/** A gateway's configuration in code: the keys of the YAML file, in snake_case or in camelCase. */
export type GatewayOptions = Spelled<z.input<typeof configSchema>>;
