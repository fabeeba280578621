import { test } from 'node:test';
import { memory } from 'premier';
import { algorithmLaws, providerLaws } from 'premier/testing';

for (const { name, check } of algorithmLaws()) test(name, check);
for (const { name, check } of providerLaws({ make: (clock) => memory({ clock }) })) test(`memory: ${name}`, check);
