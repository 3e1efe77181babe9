/**
 * A mapping as its editor holds it: from the document of the API to rows of a table, and back.
 * What is wrong with one is said here in words too; the server checks again (ingest/mapping.py).
 */

export interface MappingDocument {
  source: string;
  columns: Record<string, string>;
  constants?: Record<string, string>;
  values?: Record<string, Record<string, string>>;
  date_formats?: readonly string[];
  decimal?: string;
  grouping?: string;
  /** What the editor does not show is kept as it came. */
  [other: string]: unknown;
}

export interface Field {
  readonly name: string;
  readonly words: string;
  readonly isRequired: boolean;
  readonly kind: 'text' | 'date' | 'instant' | 'amount' | 'number' | 'status';
}

const field = (name: string, words: string, kind: Field['kind'] = 'text', isRequired = false): Field => ({
  name, words, kind, isRequired,
});

/** The fields of a deal, those first that nearly every file has. */
export const FIELDS: readonly Field[] = [
  field('key', 'Deal number', 'text', true),
  field('revision', 'Revision', 'number', true),
  field('changed_on', 'Changed on', 'date', true),
  field('status', 'Status', 'status', true),
  field('amount', 'Amount', 'amount'),
  field('currency', 'Currency'),
  field('closed_on', 'Closed on', 'date'),
  field('owner_key', 'Owner'),
  field('name', 'Name'),
  field('customer.key', 'Customer number'),
  field('customer.name', 'Customer'),
  field('customer.country', 'Customer’s country'),
  field('customer.industry', 'Customer’s industry'),
  field('channel', 'Channel'),
  field('territory_key', 'Territory'),
  field('type', 'Type'),
  field('stage', 'Stage'),
  field('stage_entered_on', 'In this stage since', 'date'),
  field('expected_close_on', 'Expected to close on', 'date'),
  field('changed_at', 'Changed at', 'instant'),
  field('closed_at', 'Closed at', 'instant'),
  field('deal_id', 'Deal of another source'),
  field('source_url', 'Link'),
];

export const STATUSES = ['won', 'open', 'lost', 'cancelled'] as const;

/** Where a field's value comes from. */
export interface Origin {
  readonly from: 'nowhere' | 'column' | 'constant';
  /** The column's name, or the constant. */
  readonly value: string;
}

export interface Draft {
  readonly source: string;
  readonly origins: Readonly<Record<string, Origin>>;
  /** A status as the file writes it, and ours. */
  readonly statuses: readonly (readonly [string, string])[];
  readonly dateFormats: readonly string[];
  readonly numbers: string;
  /** The document it began with: what is not edited stays. */
  readonly base: MappingDocument;
}

const NOWHERE: Origin = { from: 'nowhere', value: '' };

export const originOf = (draft: Draft, name: string): Origin => draft.origins[name] ?? NOWHERE;

// ---- how amounts and dates are written ----

/** Decimal sign and grouping in one: the key of a choice. */
const numbersKey = (decimal: string, grouping: string): string => `${decimal}|${grouping}`;

export const NUMBERS: readonly { readonly key: string; readonly example: string }[] = [
  ['.', ''], ['.', ','], [',', ''], [',', '.'], ['.', ' '], [',', ' '], ['.', "'"], [',', "'"],
].map(([decimal = '', grouping = '']) => ({
  key: numbersKey(decimal, grouping),
  example: `32${grouping}184${decimal}03`,
}));

const DATE_EXAMPLES: Readonly<Record<string, string>> = {
  '%Y': '2014', '%y': '14', '%m': '03', '%d': '31', '%b': 'Mar', '%B': 'March', '%H': '17',
  '%M': '30', '%S': '00',
};

/** How a format writes 31 March 2014. */
export const dateExample = (format: string): string =>
  format.replaceAll(/%[A-Za-z]/g, (part) => DATE_EXAMPLES[part] ?? part);

export const DATE_FORMATS: readonly string[] = [
  '%Y-%m-%d', '%d.%m.%Y', '%d/%m/%Y', '%m/%d/%Y', '%d-%m-%Y', '%Y/%m/%d', '%Y%m%d', '%d %b %Y',
];

// ---- from and to the document ----

/** `header` leaves out columns that the file does not have. */
export function draftOf(document: MappingDocument, header: readonly string[]): Draft {
  const origins: Record<string, Origin> = {};
  for (const [name, column] of Object.entries(document.columns)) {
    if (header.includes(column)) origins[name] = { from: 'column', value: column };
  }
  for (const [name, value] of Object.entries(document.constants ?? {})) {
    origins[name] = { from: 'constant', value };
  }
  return {
    source: document.source,
    origins,
    statuses: Object.entries(document.values?.status ?? {}),
    dateFormats: document.date_formats ?? ['%Y-%m-%d'],
    numbers: numbersKey(document.decimal ?? '.', document.grouping ?? ''),
    base: document,
  };
}

export function documentOf(draft: Draft): MappingDocument {
  const named = (from: Origin['from']): Record<string, string> =>
    Object.fromEntries(
      Object.entries(draft.origins)
        .filter(([, origin]) => origin.from === from && origin.value !== '')
        .map(([name, origin]) => [name, origin.value]),
    );
  const [decimal = '.', grouping = ''] = draft.numbers.split('|');
  const { status: _, ...otherValues } = draft.base.values ?? {};
  const statuses = draft.statuses.filter(([theirs]) => theirs !== '');
  const isMapped = statuses.length > 0 && originOf(draft, 'status').from === 'column';
  return {
    ...draft.base,
    source: draft.source.trim(),
    columns: named('column'),
    constants: named('constant'),
    values: { ...otherValues, ...(isMapped ? { status: Object.fromEntries(statuses) } : {}) },
    date_formats: draft.dateFormats,
    decimal,
    grouping,
  };
}

// ---- edits ----

export const withOrigin = (draft: Draft, name: string, origin: Origin): Draft => ({
  ...draft,
  origins: { ...draft.origins, [name]: origin },
});

/** The statuses that the sample shows and nothing maps yet, added with the best guess. */
export function withStatusesOf(draft: Draft, samples: readonly string[]): Draft {
  if (draft.statuses.length === 0 && samples.every(isStatus)) return draft;
  const known = new Set(draft.statuses.map(([theirs]) => theirs));
  const added = [...new Set(samples)]
    .filter((sample) => sample !== '' && !known.has(sample))
    .map((sample) => [sample, likeliest(sample)] as const);
  return added.length === 0 ? draft : { ...draft, statuses: [...draft.statuses, ...added] };
}

const isStatus = (text: string): boolean =>
  text === '' || (STATUSES as readonly string[]).includes(text);

function likeliest(text: string): string {
  const low = text.toLowerCase();
  if (/cancel|storn|void/.test(low)) return 'cancelled';
  if (/lost|verlor/.test(low)) return 'lost';
  if (/won|gewonn|closed|booked|paid/.test(low)) return 'won';
  return 'open';
}

// ---- what is wrong ----

/** Sentences, none when it can be used. */
export function problems(draft: Draft): readonly string[] {
  const missing = FIELDS.filter(
    ({ name, isRequired }) => isRequired && originOf(draft, name).value === '',
  ).map(({ words }) => `${words} needs a column, or a value for every row.`);
  const hasCustomer = Object.keys(draft.origins).some(
    (name) => name.startsWith('customer.') && originOf(draft, name).from !== 'nowhere',
  );
  return [
    ...(draft.source.trim() === '' ? ['Name the source that the file comes from.'] : []),
    ...missing,
    ...(hasCustomer && originOf(draft, 'customer.key').value === ''
      ? ['A customer needs a customer number.']
      : []),
    ...(isEmptyConstant(draft) ? ['A value for every row is still empty.'] : []),
  ];
}

const isEmptyConstant = ({ origins }: Draft): boolean =>
  Object.entries(origins).some(
    ([name, { from, value }]) =>
      from === 'constant' && value === '' && !FIELDS.some((one) => one.isRequired && one.name === name),
  );

/** An id for a saved mapping, from the name that a person gave it. */
export const mappingId = (name: string): string =>
  name
    .normalize('NFD')
    .replaceAll(/\p{M}/gu, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '');
