import { z } from 'zod';
import { fieldName, fieldValues } from './fields.js';

/** What is done to header fields: keys that several features have. */
export const headerChanges = {
  set: fieldValues().default({}).describe('Fields that get this value, in place of any other.'),
  remove: z.array(fieldName()).default([]).describe('Fields that are taken out.'),
};
