import { z } from 'zod';
import { duration, fieldName, word } from './fields.js';

/** How callers prove who they are. The keys from `type` on are those of Premier for Python. */
export const authSchema = z.strictObject({
  optional: z.boolean().default(false).describe('Whether requests without credentials pass.'),
  api_key: z.strictObject({ header: fieldName().default('X-API-Key'), query: word().optional() }).optional(),
  basic: z.strictObject({ users: z.record(word(), z.string()) }).optional(),
  jwt: z
    .strictObject({
      secret: z.string().optional(),
      jwks_url: z.string().optional(),
      algorithms: z.array(word()).optional(),
      issuer: z.string().optional(),
      audience: z.union([z.string(), z.array(z.string())]).optional(),
      leeway: duration().default(30_000),
      roles_claim: word().default('roles'),
      scopes_claim: word().default('scope'),
    })
    .optional(),
  oauth2: z
    .strictObject({ introspection_url: z.string(), client_id: z.string().optional(), client_secret: z.string().optional() })
    .optional(),
  type: z.enum(['basic', 'jwt']).optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  secret: z.string().optional(),
  algorithm: z.string().optional(),
  audience: z.string().optional(),
  issuer: z.string().optional(),
  verify_signature: z.boolean().optional(),
  verify_exp: z.boolean().optional(),
  verify_nbf: z.boolean().optional(),
  verify_iat: z.boolean().optional(),
  verify_aud: z.boolean().optional(),
  verify_iss: z.boolean().optional(),
  rbac: z.record(z.string(), z.unknown()).optional(),
});
