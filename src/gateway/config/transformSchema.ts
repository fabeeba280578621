import { z } from 'zod';
import { fieldName, fieldValues, word } from './fields.js';
import { headerChanges } from './headerChanges.js';

const changes = { ...headerChanges, add: fieldValues().default({}), rename: z.record(fieldName(), fieldName()).default({}) };
const scalar = z.union([z.string(), z.number(), z.boolean()]);
const converted = z.record(word(), z.enum(['string', 'number', 'integer', 'boolean', 'date']));
const json = z.strictObject({
  rename: z.record(word(), word()).default({}),
  add: z.record(word(), z.unknown()).default({}),
  remove: z.array(word()).default([]),
  convert: converted.default({}),
});

/** How requests and answers are changed. */
export const transformSchema = z.strictObject({
  request: z
    .strictObject({
      headers: z.strictObject(changes).optional(),
      query: z
        .strictObject({
          set: z.record(word(), scalar).default({}),
          rename: z.record(word(), word()).default({}),
          remove: z.array(word()).default([]),
        })
        .optional(),
      strip_prefix: z.string().startsWith('/').optional().describe('Taken off the front of the path.'),
      rewrite: z.strictObject({ from: word(), to: z.string() }).optional().describe('A regular expression, and what takes its place.'),
      json: json.optional(),
      xml_to_json: z.boolean().default(false),
      json_to_xml: z.boolean().default(false),
    })
    .optional(),
  response: z
    .strictObject({
      headers: z.strictObject(changes).optional(),
      json: json.optional(),
      xml_to_json: z.boolean().default(false),
      json_to_xml: z.boolean().default(false),
    })
    .optional(),
  schema: z.strictObject({ from: word(), to: word(), fields: z.record(word(), word()) }).optional(),
});
