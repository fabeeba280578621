/** Parts of a path's features that the schema knows and whose work comes in a later version. */
export const notYet: readonly (readonly string[])[] = [
  ['auth'],
  ['transform'],
  ['access', 'roles'],
  ['access', 'scopes'],
  ['access', 'rbac'],
];
