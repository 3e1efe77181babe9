/** The types of src/lib/frames.ts against the contract: schemas/live.py, and its JSON Schema. */

import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

import { CloseCode } from '../src/lib/frames.ts';
import { interfacesOf, structsOf, translated } from './contract.ts';

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
const SCHEMA = new URL('../../schemas/generated/live.schema.json', import.meta.url);

/** In frames.ts the state of a period is written out. */
const typed = (annotation: string): string =>
  translated(annotation).replace('PeriodState', "'open' | 'locked'");

describe('frames.ts says what schemas/live.py says', () => {
  const python = read('../../schemas/live.py');
  const declared = interfacesOf('frames.ts', read('../src/lib/frames.ts'));
  const structs = structsOf(python, /Frame|Struct/);
  const used = [...structs].filter(([name]) => name !== 'Authenticate'); // for machines only

  it('finds the structs', () => expect(used.length).toBeGreaterThan(10));

  it.each(used)('%s', (name, fields) => {
    const expected = [...fields].map(([field, annotation]) => [field, typed(annotation)]);
    expect(Object.fromEntries(declared.get(name) ?? [])).toEqual(Object.fromEntries(expected));
  });

  it('close codes', () => {
    const body = /class CloseCode\(enum\.IntEnum\):\n([\s\S]*?)\n\n\n/.exec(python)?.[1] ?? '';
    const codes = [...body.matchAll(/^ {4}(\w+) = (\d+)$/gm)].map(([, name, code]) => [name, Number(code)]);
    expect(CloseCode).toEqual(Object.fromEntries(codes));
  });
});

describe.skipIf(!existsSync(SCHEMA))('frames.ts has the fields of the generated JSON Schema', () => {
  const { $defs: defs } = JSON.parse(existsSync(SCHEMA) ? readFileSync(SCHEMA, 'utf8') : '{"$defs":{}}') as {
    $defs: Record<string, { properties?: Record<string, unknown> }>;
  };
  const declared = interfacesOf('frames.ts', read('../src/lib/frames.ts'));
  it.each([...declared])('%s', (name, fields) => {
    expect(Object.keys(defs[name]?.properties ?? {}).sort()).toEqual([...fields.keys()].sort());
  });
});
