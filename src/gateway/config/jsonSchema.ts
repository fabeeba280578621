import { z } from 'zod';
import { configSchema } from './schema.js';

type JsonSchema = z.core.JSONSchema.BaseSchema;

const id = 'https://premier.dev/schema/gateway.json';
const variable = { $ref: '#/$defs/variable' };
const span = { $ref: '#/$defs/span' };

/** The JSON Schema of a gateway's file, for editors: completion, descriptions, and mistakes underlined while typing. */
export function jsonSchema(namespace: string = 'premier'): Readonly<Record<string, unknown>> {
  const { $schema, ...config } = z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any', override: adapt });
  const nested = namespace
    .split('.')
    .reduceRight<JsonSchema>((inner, key) => ({ type: 'object', properties: { [key]: inner }, required: [key] }), config);
  return {
    $schema,
    $id: id,
    title: 'Premier gateway',
    ...nested,
    $defs: {
      variable: {
        type: 'string',
        pattern: String.raw`\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}`,
        description: 'A variable of the environment.',
      },
      span: {
        description: 'Seconds as a number, or a number with a unit: 250ms, 5s, 1m, 2h, 7d.',
        anyOf: [{ type: 'number', minimum: 0 }, { type: 'string', pattern: String.raw`^\d+(\.\d+)?(ms|s|m|h|d)$` }, variable],
      },
    },
  };
}

/** Tells editors what zod cannot know: spans, short forms, and that a variable may stand for any value. */
function adapt({ zodSchema, jsonSchema: json }: { readonly zodSchema: z.core.$ZodTypes; readonly jsonSchema: JsonSchema }): void {
  if (isSpan(json)) replace(json, span);
  if (zodSchema instanceof z.ZodDefault && [json, json.anyOf?.[0]].some(refersToSpan)) {
    // Milliseconds inside, seconds for those who write files.
    const preset: unknown = zodSchema.def.defaultValue;
    if (typeof preset === 'number') json.default = preset / 1000;
  }
  if (refersToSpan(json)) return;
  if (zodSchema instanceof z.ZodPipe && zodSchema.in instanceof z.ZodTransform && json.properties) {
    // The short form of a mapping is the value of its first key, as in `timeout: 5`.
    // By reference, for zod has not filled it in yet.
    const short = Object.values(json.properties)[0] as JsonSchema;
    return replace(json, { anyOf: [short, { ...json }] });
  }
  const scalar = json.type === 'number' || json.type === 'integer' || json.type === 'boolean' || json.enum !== undefined;
  if (scalar && zodSchema._zod.def.type !== 'union') replace(json, { anyOf: [{ ...json }, variable] });
}

function refersToSpan(json: unknown): boolean {
  return (json as JsonSchema | undefined)?.$ref === span.$ref;
}

/** Only spans are a number or a text without more to it. */
function isSpan({ anyOf }: JsonSchema): boolean {
  return anyOf?.length === 2 && isAny(anyOf[0], 'number') && isAny(anyOf[1], 'string');
}

function isAny(schema: unknown, type: string): boolean {
  const { type: own, anyOf, ...rest } = schema as JsonSchema;
  if (anyOf?.length === 2 && Object.keys(rest).length === 0) return isAny(anyOf[0], type);
  return own === type && Object.keys(rest).length === 0;
}

function replace(json: JsonSchema, by: JsonSchema): void {
  const { description, default: preset } = json;
  for (const key of Object.keys(json)) delete json[key];
  Object.assign(json, by, description !== undefined && { description }, preset !== undefined && { default: preset });
}
