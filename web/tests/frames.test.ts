/** The types of src/lib/frames.ts against the contract: schemas/live.py, and its JSON Schema. */

import { existsSync, readFileSync } from 'node:fs';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

import { CloseCode } from '../src/lib/frames.ts';

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
const SCHEMA = new URL('../../schemas/generated/live.schema.json', import.meta.url);

type Fields = ReadonlyMap<string, string>;

/** Interfaces of frames.ts: name to fields, each with its type's text. */
function ours(): ReadonlyMap<string, Fields> {
  const source = ts.createSourceFile('frames.ts', read('../src/lib/frames.ts'), ts.ScriptTarget.Latest);
  const interfaces = source.statements.filter(ts.isInterfaceDeclaration);
  return new Map(
    interfaces.map((declared) => [
      declared.name.text,
      new Map(
        declared.members
          .filter(ts.isPropertySignature)
          .map((member) => [member.name.getText(source), member.type?.getText(source) ?? '']),
      ),
    ]),
  );
}

/** Structs of live.py: name to fields, each with its annotation; a frame's tag is its `type`. */
function theirs(python: string): ReadonlyMap<string, Fields> {
  const structs = new Map<string, Fields>();
  for (const [, name, head, body] of python.matchAll(/^class (\w+)\((.*)\):\n((?:(?: {4}.*)?\n)*)/gm)) {
    if (!name || !head || !body || !/Frame|Struct/.test(head) || name === 'Frame') continue;
    const tag = /tag="(\w+)"/.exec(head)?.[1];
    const fields = [...body.matchAll(/^ {4}(\w+): ([^=#\n]+)/gm)].map(
      ([, field, annotation]) => [field ?? '', (annotation ?? '').trim()] as const,
    );
    structs.set(name, new Map([...(tag ? [['type', `'${tag}'`] as const] : []), ...fields]));
  }
  return structs;
}

const TYPES: Readonly<Record<string, string>> = {
  str: 'string', int: 'number', bool: 'boolean', Booked: 'Booked', 'dt.date': 'Day',
  'dt.datetime': 'Instant', PeriodState: "'open' | 'locked'", AlertKind: "'off_pace'",
  Severity: "'warning' | 'severe'", Text: 'string',
};

/** A Python annotation as the type that frames.ts should give it. */
function translated(annotation: string): string {
  const optional = / \| None$/.exec(annotation);
  const bare = optional ? annotation.slice(0, optional.index) : annotation;
  const many = /^tuple\[(\w+), \.\.\.\]$/.exec(bare)?.[1];
  const type = many ? `readonly ${TYPES[many] ?? many}[]` : (TYPES[bare] ?? bare);
  return optional ? `${type} | null` : type;
}

describe('frames.ts says what schemas/live.py says', () => {
  const python = read('../../schemas/live.py');
  const declared = ours();
  const structs = theirs(python);
  const used = [...structs].filter(([name]) => name !== 'Authenticate'); // for machines only

  it('finds the structs', () => expect(used.length).toBeGreaterThan(10));

  it.each(used)('%s', (name, fields) => {
    const expected = [...fields].map(([field, annotation]) => [field, translated(annotation)]);
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
  it.each([...ours()])('%s', (name, fields) => {
    expect(Object.keys(defs[name]?.properties ?? {}).sort()).toEqual([...fields.keys()].sort());
  });
});
