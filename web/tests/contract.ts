/** Reads the declarations of both sides, so that a test can compare them. */

import ts from 'typescript';

export type Fields = ReadonlyMap<string, string>;

/** Interfaces of a TypeScript source: name to fields, each with its type's text. */
export function interfacesOf(name: string, text: string): ReadonlyMap<string, Fields> {
  const source = ts.createSourceFile(name, text, ts.ScriptTarget.Latest);
  return new Map(
    source.statements
      .filter(ts.isInterfaceDeclaration)
      .map((declared) => [declared.name.text, fieldsOf(declared, source)]),
  );
}

const fieldsOf = (declared: ts.InterfaceDeclaration, source: ts.SourceFile): Fields =>
  new Map(
    declared.members
      .filter(ts.isPropertySignature)
      .map((member) => [member.name.getText(source), member.type?.getText(source) ?? '']),
  );

/** Structs of a Python source whose bases match: name to fields, each with its annotation; a
    frame's tag is its `type`. */
export function structsOf(python: string, bases: RegExp): ReadonlyMap<string, Fields> {
  const structs = new Map<string, Fields>();
  for (const [, name, head, body] of python.matchAll(/^class (\w+)\((.*)\):\n((?:(?: {4}.*)?\n)*)/gm)) {
    if (!name || !head || !body || !bases.test(head) || name === 'Frame' || name.startsWith('_')) continue;
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
  Instant: 'Instant', AlertKind: "'off_pace'", Severity: "'warning' | 'severe'",
  Text: 'string', HoldReason: 'string', RefusalCode: 'string', 'msgspec.Raw': 'unknown',
};

/** A Python annotation as the type that our interfaces should give it. */
export function translated(annotation: string): string {
  const optional = / \| None$/.exec(annotation);
  const bare = optional ? annotation.slice(0, optional.index) : annotation;
  const many = /^tuple\[(.+), \.\.\.\]$/.exec(bare)?.[1];
  const inner = many === undefined ? null : translated(many);
  const type =
    inner === null ? (TYPES[bare] ?? bare) : `readonly ${inner.includes(' ') ? `(${inner})` : inner}[]`;
  return optional && type !== 'unknown' ? `${type} | null` : type;
}

/** The values of a Python enumeration of texts. */
export function enumOf(python: string, name: string): readonly string[] {
  const body = new RegExp(`^class ${name}\\(enum\\.StrEnum\\):\\n((?:(?: {4}.*)?\\n)*)`, 'm').exec(python)?.[1];
  return [...(body ?? '').matchAll(/^ {4}\w+ = "(\w+)"/gm)].map(([, value]) => value ?? '');
}

/** The members of a TypeScript union of texts. */
export function unionOf(text: string, name: string): readonly string[] {
  const body = new RegExp(`export type ${name} =([^;]+);`).exec(text)?.[1] ?? '';
  return [...body.matchAll(/'(\w+)'/g)].map(([, value]) => value ?? '');
}
