/** The types of src/lib/answers.ts against the contract: schemas/answers.py. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

import { enumOf, interfacesOf, structsOf, translated, unionOf } from './contract.ts';

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');

const PYTHON = read('../../schemas/answers.py');
const OURS = '../src/lib/answers.ts';
/** Declared beside their handlers in api/, not in schemas/. */
const ELSEWHERE = ['PeriodView', 'Periods', 'ProgressAnswer'];

describe('answers.ts says what schemas/answers.py says', () => {
  const declared = interfacesOf(OURS, read(OURS));
  const structs = structsOf(PYTHON, /_Answer|Struct/);

  it('finds the structs', () => expect(structs.size).toBeGreaterThan(40));

  it('has no answer that the API does not have', () => {
    const known = [...declared.keys()].filter((name) => !ELSEWHERE.includes(name));
    expect(known.sort()).toEqual([...structs.keys()].sort());
  });

  it.each([...structs])('%s', (name, fields) => {
    const expected = [...fields].map(([field, annotation]) => [field, translated(annotation)]);
    expect(Object.fromEntries(declared.get(name) ?? [])).toEqual(Object.fromEntries(expected));
  });
});

describe('answers.ts knows each word of an enumeration', () => {
  const messages = read('../../schemas/messages.py');
  it.each([
    ['Fate', PYTHON],
    ['ImportState', PYTHON],
    ['DealStatus', messages],
    ['Role', messages],
    ['PeriodState', messages],
  ])('%s', (name, python) => {
    expect(unionOf(read(OURS), name)).toEqual(enumOf(python, name));
  });
});
