/** The requests of managers and admins: alerts, queues, the lock of a period, files. */

import type {
  AdminAnswer, AlertAnswer, Alerts, Columns, DeadLetterAnswer, DeadLetters, HeldPage, ImportAnswer,
  Imports, IneligiblePage, LockAnswer, MappingAnswer, Mappings, Queue, Sources,
} from './answers.ts';
import { call, get, post, put, type Query } from './api.ts';

const id = encodeURIComponent;

// ---- alerts ----

export const alerts = (query: Query): Promise<Alerts> => get('/alerts', query);
export const alert = (alertId: string): Promise<AlertAnswer> => get(`/alerts/${id(alertId)}`);

const said = (what: string) => async (alertId: string, text: string): Promise<AlertAnswer> => {
  await post<unknown>(`/alerts/${id(alertId)}/${what}`, { text });
  return alert(alertId);
};
export const acknowledge = said('acknowledge');
export const noteAlert = said('notes');

// ---- queues ----

export const admin = (): Promise<AdminAnswer> => get('/admin');
export const sources = (): Promise<Sources> => get('/sources');
export const held = (query: Query): Promise<HeldPage> => get('/held', query);
export const heldSummary = (): Promise<Queue> => get('/held/summary');
export const deadLetters = (query: Query): Promise<DeadLetters> => get('/dead-letters', query);
export const deadLetterSummary = (): Promise<Queue> => get('/dead-letters/summary');
export const deadLetter = (letterId: string): Promise<DeadLetterAnswer> =>
  get(`/dead-letters/${id(letterId)}`);
export const notEligible = (query: Query): Promise<IneligiblePage> => get('/not-eligible', query);
export const notEligibleSummary = (): Promise<Queue> => get('/not-eligible/summary');

// ---- the lock of a period ----

export const lock = (period: string): Promise<LockAnswer> => get(`/periods/${id(period)}/lock`);
export const startLock = (period: string): Promise<LockAnswer> =>
  post(`/periods/${id(period)}/lock`, undefined);

// ---- files ----

const CSV = 'text/csv';
const XLSX = 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet';

/** What the browser says of a file's kind differs by machine: its name decides. */
const typeOf = ({ name }: File): string => (/\.xlsx$/i.test(name) ? XLSX : CSV);

export const columns = (file: File): Promise<Columns> =>
  post('/imports/columns', file, {
    query: { file_name: file.name },
    headers: { 'Content-Type': typeOf(file) },
  });
export const importDeals = (file: File, query: Query): Promise<ImportAnswer> =>
  post('/imports/deals', file, { query, headers: { 'Content-Type': typeOf(file) } });
export const imports = (query: Query = {}): Promise<Imports> => get('/imports', query);
export const oneImport = (importId: string): Promise<ImportAnswer> => get(`/imports/${id(importId)}`);
export const commitImport = (importId: string): Promise<ImportAnswer> =>
  post(`/imports/${id(importId)}/commit`, undefined);
export const errorFilePath = (importId: string): string => `/v1/imports/${id(importId)}/errors`;

export const mappings = (): Promise<Mappings> => get('/mappings');
export const mapping = (mappingId: string): Promise<MappingAnswer> => get(`/mappings/${id(mappingId)}`);

/** Saves it under the name; `replaces`: one that is there may be changed. */
export async function saveMapping(
  mappingId: string,
  saved: Pick<MappingAnswer, 'name' | 'source' | 'document'>,
  replaces: boolean,
): Promise<MappingAnswer> {
  const path = `/mappings/${id(mappingId)}`;
  const etag = replaces ? (await call<MappingAnswer>('GET', path)).etag : null;
  return (await put<MappingAnswer>(path, saved, etag)).value;
}
