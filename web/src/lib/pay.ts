/** The requests of a person's page: deals, receipts, statements, what changed. */

import type { DealAnswer, Deals, FeedPage, Lines, StatementAnswer, Statements } from './answers.ts';
import { Failed, get, type Query } from './api.ts';

const id = encodeURIComponent;

export const deals = (query: Query): Promise<Deals> => get('/deals', query);
export const deal = (dealId: string): Promise<DealAnswer> => get(`/deals/${id(dealId)}`);
export const feed = (payeeId: string, query: Query): Promise<FeedPage> =>
  get(`/payees/${id(payeeId)}/feed`, query);
export const statements = (payeeId: string): Promise<Statements> =>
  get(`/payees/${id(payeeId)}/statements`);
export const statement = (payeeId: string, period: string): Promise<StatementAnswer> =>
  get(`/payees/${id(payeeId)}/statements/${id(period)}`);
export const lines = (payeeId: string, period: string, query: Query): Promise<Lines> =>
  get(`/payees/${id(payeeId)}/statements/${id(period)}/lines`, query);

/** A deal by the id that a person typed: as it is, else as one of those sources; null: none that
    the reader may see. */
export async function lookedUp(typed: string, sources: readonly string[]): Promise<DealAnswer | null> {
  const wanted = typed.trim();
  if (wanted === '') return null;
  const ids = wanted.includes(':') ? [wanted] : sources.map((source) => `${source}:${wanted}`);
  for (const dealId of ids) {
    try {
      return await deal(dealId);
    } catch (error) {
      if (!(error instanceof Failed && error.status === 404)) throw error;
    }
  }
  return null;
}

const FATES: Readonly<Record<string, string>> = {
  received: 'Received',
  superseded: 'Superseded',
  credited: 'Credited',
  held: 'Held',
  not_eligible: 'Not eligible',
  not_counted: 'Not counted',
  refused: 'Refused',
};

export const fateWord = (fate: string): string => FATES[fate] ?? fate;
export const FATE_CHOICES: readonly (readonly [string, string])[] = [
  ['credited', 'Credited'], ['held', 'Held'], ['not_eligible', 'Not eligible'],
  ['not_counted', 'Not counted'],
];
export type Tone = 'good' | 'warn' | 'bad' | 'plain';
export const fateTone = (fate: string): Tone =>
  fate === 'credited' ? 'good' : fate === 'held' ? 'warn' : fate === 'refused' ? 'bad' : 'plain';
