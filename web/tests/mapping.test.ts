/** The mapping's editor: nothing of a document is lost on the way through it. */

import { describe, expect, it } from 'vitest';

import {
  dateExample, documentOf, draftOf, mappingId, NUMBERS, originOf, problems, withOrigin, withStatusesOf,
  type MappingDocument,
} from '../src/lib/mapping.ts';

const DOCUMENT: MappingDocument = {
  source: 'erp',
  columns: { key: 'Order', revision: 'Version', changed_on: 'Changed', status: 'State', amount: 'Net' },
  constants: { currency: 'EUR' },
  values: { status: { Gewonnen: 'won', Offen: 'open' }, type: { Neu: 'new' } },
  attributes: { region: 'Region' },
  date_formats: ['%d.%m.%Y'],
  decimal: ',',
  grouping: '.',
  delimiter: ';',
};
const HEADER = ['Order', 'Version', 'Changed', 'State', 'Net', 'Region'];

describe('a draft and its document', () => {
  it('comes back as it was, with what the editor does not show', () =>
    expect(documentOf(draftOf(DOCUMENT, HEADER))).toEqual(DOCUMENT));

  it('leaves out a column that the file does not have', () =>
    expect(documentOf(draftOf(DOCUMENT, ['Order'])).columns).toEqual({ key: 'Order' }));

  it('moves a field from a column to a constant, never both', () => {
    const draft = withOrigin(draftOf(DOCUMENT, HEADER), 'status', { from: 'constant', value: 'won' });
    const document = documentOf(draft);
    expect(document.columns).not.toHaveProperty('status');
    expect(document.constants).toEqual({ currency: 'EUR', status: 'won' });
    expect(document.values).not.toHaveProperty('status');
  });

  it('takes a field out', () => {
    const draft = withOrigin(draftOf(DOCUMENT, HEADER), 'amount', { from: 'nowhere', value: '' });
    expect(documentOf(draft).columns).not.toHaveProperty('amount');
    expect(originOf(draft, 'amount').from).toBe('nowhere');
  });
});

describe('statuses of the sample', () => {
  const draft = draftOf({ ...DOCUMENT, values: {} }, HEADER);

  it('need no mapping where they are ours already', () =>
    expect(withStatusesOf(draft, ['won', 'lost', '']).statuses).toEqual([]));

  it('are guessed where they are not', () =>
    expect(withStatusesOf(draft, ['Closed Won', 'Closed Lost', 'Qualify', 'Closed Won']).statuses).toEqual([
      ['Closed Won', 'won'], ['Closed Lost', 'lost'], ['Qualify', 'open'],
    ]));

  it('keep what was mapped', () =>
    expect(withStatusesOf(draftOf(DOCUMENT, HEADER), ['Offen', 'Storniert']).statuses).toEqual([
      ['Gewonnen', 'won'], ['Offen', 'open'], ['Storniert', 'cancelled'],
    ]));
});

describe('problems', () => {
  it('are none for a mapping that can be used', () =>
    expect(problems(draftOf(DOCUMENT, HEADER))).toEqual([]));

  it('name what is missing in words', () =>
    expect(problems(draftOf({ source: ' ', columns: { 'customer.name': 'Net' } }, HEADER))).toEqual([
      'Name the source that the file comes from.',
      'Deal number needs a column, or a value for every row.',
      'Revision needs a column, or a value for every row.',
      'Changed on needs a column, or a value for every row.',
      'Status needs a column, or a value for every row.',
      'A customer needs a customer number.',
    ]));
});

it.each([
  ['%d.%m.%Y', '31.03.2014'],
  ['%Y-%m-%d', '2014-03-31'],
])('a date format %s is shown as %s', (format, shown) => expect(dateExample(format)).toBe(shown));

it('offers each way of writing amounts once', () =>
  expect(new Set(NUMBERS.map(({ example }) => example)).size).toBe(NUMBERS.length));

it.each([
  ['Q1 orders (ERP)', 'q1-orders-erp'],
  ['Aufträge José', 'auftrage-jose'],
])('%s is saved as %s', (name, id) => expect(mappingId(name)).toBe(id));
