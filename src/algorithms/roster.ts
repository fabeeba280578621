import type { Algorithm } from '../core/provider.js';

interface Roster {
  names: Set<string>;
}

/** A name to be added, or `''` to look. */
export interface Enrolment {
  readonly name: string;
}

/** Every name that was ever enrolled, told to who looks. */
export interface RosterDecision {
  readonly names: readonly string[];
  readonly resetAfter: number;
}

const year = 365 * 86_400_000;

/** A list of names under one key: who has ever kept something here. */
export const roster: Algorithm<Roster, Enrolment, RosterDecision> = {
  name: 'roster',
  create: () => ({ names: new Set() }),
  copy: ({ names }) => ({ names: new Set(names) }),
  step({ names }, { name }) {
    if (name !== '') names.add(name);
    return { names: name === '' ? [...names] : [], resetAfter: names.size > 0 ? year : 0 };
  },
  lua: {
    body: `
    local fine, names = pcall(cmsgpack.unpack, raw or '')
    if not fine or type(names) ~= 'table' then names = {} end
    local known = p[1] == ''
    for _, name in ipairs(names) do known = known or name == p[1] end
    if known and p[1] ~= '' then return 1, nil, 0, '[]', ${year} end
    if not known then names[#names + 1] = p[1] end
    if #names == 0 then return 1, nil, 0, '[]', 0 end
    return 1, cmsgpack.pack(names), ${year}, p[1] == '' and cjson.encode(names) or '[]', ${year}`,
    args: ({ name }) => [name],
    decision: ([, names, resetAfter]) => ({ names: JSON.parse(String(names)) as string[], resetAfter: Number(resetAfter) }),
  },
};
