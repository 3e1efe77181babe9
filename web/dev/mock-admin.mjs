/** What managers and admins ask of the mock: a team, its alerts, queues, a lock, files. */

const TEAM = ['275', '276', '277', '278', '279', '280', '281', '282', '283', '284'];
const LEAD = { payee_id: '274', name: 'Stephen Jiang', amount: 7222961n, quota: 8400000n, territory: null };
const DAYS_LEFT = 22n;
const LAST = { 281: '2014-01-29', 280: '2014-01-12', 283: '2014-01-29', 277: '2014-01-28', 278: null };
const HELD = { 283: 1 };

const text = (value, places = 2) => {
  const digits = (value < 0n ? -value : value).toString().padStart(places + 1, '0');
  return `${value < 0n ? '-' : ''}${digits.slice(0, -places)}.${digits.slice(-places)}`;
};
const ratio = (amount, quota) => (amount * 1_000_000n) / quota;
const ago = (days, from = Date.parse('2014-01-29T14:02:00Z')) => new Date(from - days * 86_400_000).toISOString();

const REASONS = [
  ['no_owner', 'no owner', 'The deal names no owner and no splits. Set its owner in the source.'],
  ['unknown_payee', 'unknown person', 'The source\u2019s key belongs to no person. Add it to the payee keys.'],
  ['no_plan', 'no plan on that date', 'The payee is assigned to no plan on that date. Assign him to one.'],
  ['no_exchange_rate', 'no exchange rate', 'No exchange rate for that date. Add the rate.'],
];

const heldRows = () =>
  Array.from({ length: 73 }, (_, at) => {
    const [reason, words, next] = REASONS[at % 9 === 0 ? 3 : at % 3];
    return {
      deal_id: `adventureworks:SO${61000 + at}`, key: `SO${61000 + at}`, source: at % 4 === 3 ? 'erp' : 'adventureworks',
      name: at % 5 === 4 ? null : `Order of ${['Finer Parts Shop', 'Rally Master', 'Vigorous Exercise Company', 'Bike World'][at % 4]}`,
      ordinal: 1, reason, reason_words: `${words}: closed ${1 + (at % 28)} Jan`, next_step: next,
      payee: reason === 'no_plan' ? { payee_id: '283', name: 'David Campbell' } : null,
      payee_key: reason === 'unknown_payee' ? `rep-${900 + (at % 3)}` : null, role: 'owner',
      amount: `${4000 + at * 317}.${String(10 + (at % 90))}`, currency: reason === 'no_exchange_rate' ? 'EUR' : 'USD',
      closed_on: at % 11 === 10 ? null : `2014-01-${String(1 + (at % 28)).padStart(2, '0')}`, held_since: ago(at / 5 + 0.1),
    };
  });

const LETTERS = [
  ['breaks_contract', '$.amount', "Expected `str`, got `float`", 'Mend the named field; the schema is in schemas/generated. Amounts are strings: \u20181.50\u2019.', '{"source":"erp","key":"4711","deal_id":"erp:4711","revision":3,"changed_on":"2014-01-28","status":"won","amount":1520.5,"currency":"USD","closed_on":"2014-01-28"}'],
  ['unreadable', '$', 'JSON is malformed: unexpected end of data', 'Send the record\u2019s value as one UTF-8 JSON object.', '{"source":"erp","key":"4712\ufffd\ufffd <script>alert(1)</script>'],
  ['splits_do_not_sum', '$.splits', 'the shares of role split sum to 0.9', 'Send shares of role \u2018split\u2019 that sum to exactly 1.', '{"source":"adventureworks","key":"SO61999","splits":[{"payee_key":"275","share":"0.5"},{"payee_key":"276","share":"0.4"}]}'],
];
const letters = () =>
  Array.from({ length: 7 }, (_, at) => {
    const [code, where, problem, next_step, value] = LETTERS[at % 3];
    return {
      letter: {
        dead_letter_id: `dl-${at}`, code, source_key: `erp:47${11 + at}`, where, problem, next_step,
        topic: 'paceboard.deals', partition: at % 4, offset: 10_400 + at * 17, value_start: value.slice(0, 80),
        value_bytes: value.length, booked_at: ago(at / 3), business_at: ago(at / 3),
      },
      value,
    };
  });

const ineligible = () =>
  Array.from({ length: 120 }, (_, at) => ({
    deal_id: `adventureworks:SO${70_000 + at}`, key: `SO${70_000 + at}`, name: null, rule_id: 'no-online-orders',
    reason: 'online orders have no seller', amount: `${3 + at}.99`, currency: 'USD',
    closed_on: `2014-01-${String(29 - (at % 28)).padStart(2, '0')}`, booked_at: ago(at / 40),
  }));

const queueOf = (rows, by, describe) => {
  const groups = new Map();
  for (const row of rows) groups.set(row[by], [...(groups.get(row[by]) ?? []), row]);
  const sums = (list) => {
    const money = new Map();
    for (const { amount, currency } of list) if (currency) money.set(currency, (money.get(currency) ?? 0) + Number(amount));
    return [...money].map(([currency, amount]) => ({ currency, amount: amount.toFixed(2) }));
  };
  return {
    count: rows.length, money: sums(rows),
    groups: [...groups].map(([reason, list]) => ({ reason, ...describe(reason, list[0]), count: list.length, money: sums(list), oldest: list.at(-1).held_since ?? list.at(-1).booked_at })),
  };
};

const HEADER = ['Bestellnr', 'Version', 'Geändert', 'Status', 'Betrag', 'Verkäufer', 'Kunde', 'Kundennr'];
const SAMPLE = [
  ['4711', '1', '28.01.2014', 'Gewonnen', '1.520,50', '283', 'Müller & Söhne', 'K-17'],
  ['4712', '2', '28.01.2014', 'Offen', '12.000,00', '275', 'José Bicycles', 'K-18'],
  ['4713', '1', '29.01.2014', 'Storniert', '780,00', '281', 'Rally Master', 'K-19'],
];
const GUESS = {
  source: 'erp', columns: { key: 'Bestellnr', revision: 'Version', changed_on: 'Geändert', status: 'Status', amount: 'Betrag', owner_key: 'Verkäufer', 'customer.name': 'Kunde', 'customer.key': 'Kundennr', closed_on: 'Geändert' },
  constants: { currency: 'EUR' }, values: { status: { Gewonnen: 'won', Offen: 'open' } }, attributes: {}, constant_attributes: {},
  date_formats: ['%d.%m.%Y'], decimal: ',', grouping: '.', delimiter: ';',
};

export class Work {
  held = heldRows();
  letters = letters();
  ineligible = ineligible();
  imports = [];
  mappings = [{ mapping_id: 'erp-orders', name: 'ERP orders', source: 'erp', document: GUESS, version: 3 }];
  lock = { state: 'open', step: null, done: 0, of: 0, problem: null, locked_at: null, statements_frozen: 0, isBlocked: true };
  /** What may be switched to see a state: no alert at all, no answer. */
  isEmpty = false;
  isAway = false;
  notes = new Map();
  acknowledged = new Set(['off-280']);
  cleared = new Set();
  #company;

  constructor(company) {
    this.#company = company;
  }

  people() {
    const all = this.#company.boards.reps.people;
    return [...TEAM.map((id) => all.find((one) => one.payee_id === id)), LEAD];
  }

  /** Raised: whoever is below 95 % of the expected 90 %, so that a sale clears it. */
  #isOff({ payee_id, amount, quota }) {
    return !this.isEmpty && payee_id !== '274' && !this.cleared.has(`off-${payee_id}`) && ratio(amount, quota) < 855_000n;
  }

  #alertRow(person, state) {
    const { payee_id, name, amount, quota } = person;
    const share = ratio(amount, quota);
    const short = (quota * 9n) / 10n - amount;
    return {
      alert_id: `off-${payee_id}`, kind: 'off_pace', severity: share < 800_000n ? 'severe' : 'warning', state,
      payee: { payee_id, name }, manager: { payee_id: '274', name: 'Stephen Jiang' },
      period: '2014-Q1', period_name: '30 Nov - 28 Feb', raised_on: '2014-01-28', last_change_on: '2014-01-29', version: 2,
      words: `${name} is off pace`, pace_ratio: text((share * 10n) / 9n, 6), short_of_pace: text(short > 0n ? short : 0n), currency: 'USD',
    };
  }

  alerts(state) {
    if (state === 'cleared') return this.isEmpty ? [] : [this.#alertRow(this.people()[2], 'cleared')];
    return this.people()
      .filter((person) => this.#isOff(person))
      .map((person) => this.#alertRow(person, this.acknowledged.has(`off-${person.payee_id}`) ? 'acknowledged' : 'open'))
      .filter((row) => row.state === state);
  }

  #alert(id) {
    const row = ['open', 'acknowledged', 'cleared'].flatMap((state) => this.alerts(state)).find((one) => one.alert_id === id);
    if (!row) return null;
    const person = this.people().find(({ payee_id }) => `off-${payee_id}` === id);
    const { amount, quota } = person;
    const gap = quota - amount;
    return {
      alert: row, first_value: '0.684000', threshold: '0.85', clears_above: '0.92', credited: text(amount), quota: text(quota),
      attainment_ratio: text(ratio(amount, quota), 6), expected_share: '0.9000', expected_now: text((quota * 9n) / 10n), curve: 'last_year',
      working_days_left: 22, required_per_remaining_working_day: gap > 0n ? text(gap / DAYS_LEFT) : null,
      last_deals: [
        { deal_id: 'adventureworks:SO65310', key: 'SO65310', name: 'Small Bike Shop', closed_on: '2014-01-29', credited: '32967.12' },
        { deal_id: 'adventureworks:SO65301', key: 'SO65301', name: 'Utilitarian Sporting Goods', closed_on: '2014-01-29', credited: '21026.97' },
        { deal_id: 'adventureworks:SO65288', key: 'SO65288', name: 'Metropolitan Sports Supply', closed_on: '2014-01-28', credited: '6654.79' },
      ],
      deal_count: 27, suggested_action: `Go through the open deals with ${row.payee.name}: ${text(gap / DAYS_LEFT)} a working day reach the quota.`,
      may_acknowledge: row.state === 'open',
      events: [
        { event: 'raised', business_date: '2014-01-28', pace_ratio: '0.684', words: 'Raised: 68.4 % of what was expected, on two looks.' },
        { event: 'updated', business_date: '2014-01-29', pace_ratio: row.pace_ratio, words: 'Updated: 5 deals came in.' },
      ],
      notes: this.notes.get(id) ?? [],
    };
  }

  #note(id, is_acknowledgement, given, by) {
    const at = this.#company.clock().business_at;
    this.notes.set(id, [...(this.notes.get(id) ?? []), { at, business_at: at, by, is_acknowledgement, text: given }]);
    if (is_acknowledgement) this.acknowledged.add(id);
  }

  team(id) {
    if (id !== '274') return null;
    const open = new Set(['open', 'acknowledged'].flatMap((state) => this.alerts(state)).map(({ alert_id }) => alert_id));
    const rows = this.people().map((person) => {
      const { payee_id, name, amount, quota } = person;
      const share = ratio(amount, quota);
      const short = (quota * 9n) / 10n - amount;
      const alert = open.has(`off-${payee_id}`) && this.#alertRow(person, 'open');
      return {
        payee_id, name, title: payee_id === '274' ? 'North American sales manager' : 'Sales representative', territory: person.territory, is_lead: payee_id === '274',
        credited: text(amount), quota: text(quota), attainment_ratio: text(share, 6), pace_ratio: text((share * 10n) / 9n, 6),
        gap_to_quota: text(quota > amount ? quota - amount : 0n), short_of_pace: text(short > 0n ? short : 0n),
        required_per_remaining_working_day: quota > amount ? text((quota - amount) / DAYS_LEFT) : null,
        last_credit_on: payee_id in LAST ? LAST[payee_id] : '2014-01-29', held: HELD[payee_id] ?? 0,
        alerts: alert ? [{ alert_id: alert.alert_id, payee_id, kind: 'off_pace', severity: alert.severity, raised_on: '2014-01-28', is_acknowledged: this.acknowledged.has(alert.alert_id), short_of_pace: alert.short_of_pace, text: alert.words }] : [],
      };
    });
    const cents = (value) => BigInt(value.replace('.', ''));
    rows.sort((a, b) => b.alerts.length - a.alerts.length || (cents(b.short_of_pace) > cents(a.short_of_pace) ? 1 : -1));
    const [credited, quota, short] = ['credited', 'quota', 'short_of_pace'].map((key) => rows.reduce((sum, row) => sum + cents(row[key]), 0n));
    const elsewhere = 1840000n;
    return {
      manager: { payee_id: '274', name: 'Stephen Jiang' }, stamps: this.#company.stamps(false), business_date: '2014-01-29', rows,
      total_credited: text(credited), total_quota: text(quota), total_ratio: text(ratio(credited, quota), 6), total_gap: text(quota - credited),
      total_short_of_pace: text(short), required_per_remaining_working_day: text((quota - credited) / DAYS_LEFT), working_days_left: 22,
      expected_share: '0.9000', curve: 'last_year', pace_ratio: text((ratio(credited, quota) * 10n) / 9n, 6),
      ledger_credited: text(credited + elsewhere), not_in_rows: text(elsewhere),
      reconciliation: `${text(credited)} = 10 people ${text(credited - LEAD.amount)} + own deals ${text(LEAD.amount)}. The team\u2019s account has 18,400.00 more, credited while people were elsewhere.`,
      open_alerts: this.alerts('open').length,
    };
  }

  #queues() {
    return {
      held: queueOf(this.isEmpty ? [] : this.held, 'reason', (reason) => ({ reason_words: REASONS.find(([key]) => key === reason)[1].replace(/^./, (c) => c.toUpperCase()), next_step: REASONS.find(([key]) => key === reason)[2] })),
      dead_letters: queueOf(this.isEmpty ? [] : this.letters.map(({ letter }) => letter), 'code', (code, one) => ({ reason_words: code.replaceAll('_', ' ').replace(/^./, (c) => c.toUpperCase()), next_step: one.next_step })),
      not_eligible: queueOf(this.ineligible, 'rule_id', (rule, one) => ({ reason_words: one.reason, next_step: 'Nobody has to act.' })),
    };
  }

  #sources() {
    const source = (name, description, through, behind, deals, refused) => ({ source: name, description, complete_through: through, business_behind: behind, last_booked_at: ago(0.01), deals, credited: Math.floor(deals / 9), held: 36, not_eligible: Math.floor(deals * 0.8), not_counted: 12, refused });
    return [source('adventureworks', 'Orders of the company', ago(0), '1 min behind', 31_465, 2), source('erp', 'Billing', ago(0.5), '12 h behind', 1_204, 5), source('crm', null, null, null, 0, 0)];
  }

  #lock() {
    const { isBlocked, ...lock } = this.lock;
    const isLocked = lock.state === 'locked';
    return {
      period: '2013-Q4', period_name: '31 Aug - 29 Nov', ...lock, may_lock: !isBlocked && !isLocked && lock.step === null,
      checks: [
        { check: 'ended', words: 'The period has ended.', state: 'ok', count: null, money: [], link: null },
        { check: 'complete', words: isBlocked ? 'erp is complete only through 28 Nov: 1 day is missing.' : 'Every source is complete through its end.', state: isBlocked ? 'blocker' : 'ok', count: isBlocked ? 1 : null, money: [], link: '/admin' },
        { check: 'held', words: '3 shares of deals closed in it are held: locked now, they are paid in a later period.', state: 'warning', count: 3, money: [{ currency: 'USD', amount: '12951.00' }, { currency: 'EUR', amount: '4000.10' }], link: '/admin/held' },
        { check: 'dead_letters', words: '7 records were refused; of which period they were cannot be known.', state: 'warning', count: 7, money: [], link: '/admin/dead-letters' },
        { check: 'order', words: 'Every earlier period is locked.', state: 'ok', count: null, money: [], link: null },
      ],
      accounts: 17, entries: 1_204, earned: '148211.07', currency: 'USD',
    };
  }

  #startLock() {
    const steps = [['draining', 1, 2], ['draining', 2, 2], ['locking', 1, 1], ['freezing statements', 6, 17], ['freezing statements', 14, 17]];
    const next = () => {
      const step = steps.shift();
      Object.assign(this.lock, step ? { step: step[0], done: step[1], of: step[2] } : { step: null, state: 'locked', locked_at: ago(0), statements_frozen: 17 });
      if (step) setTimeout(next, 700);
    };
    next();
  }

  #load(file, bytes) {
    const found = {
      import_id: `imp-${this.imports.length + 1}`, file_name: file, file_digest: 'c1'.repeat(32), bytes, state: 'checking', by: 'David Barber',
      created_at: this.#company.clock().business_at, mapping_id: null, is_history: false, counts: { rows: 0, new: 0, changed: 0, unchanged: 0, refused: 0, sent: 0 },
      credited: [], earned: [], held: 0, not_eligible: 0, effects: [], effects_count: 0, first_errors: [], has_error_file: false, problem: null, done_rows: 0, was_loaded_before: this.imports.length > 0,
    };
    this.imports.unshift(found);
    const run = (state, rows, end) => {
      found.done_rows = Math.min(rows, found.done_rows + 34_000);
      found.counts.rows = rows;
      if (found.done_rows < rows) setTimeout(() => run(state, rows, end), 500);
      else Object.assign(found, end(), { state });
    };
    setTimeout(() => run('checked', 100_000, () => ({
      counts: { rows: 100_000, new: 97_204, changed: 1_204, unchanged: 1_580, refused: 12, sent: 0 },
      credited: [{ currency: 'USD', amount: '84120.55' }, { currency: 'EUR', amount: '-1204.00' }], earned: [{ currency: 'USD', amount: '1009.44' }], held: 31, not_eligible: 88_102,
      effects: [['283', 'David Campbell', '61204.10', '734.44', 'open'], ['281', 'Shu Ito', '-1204.00', '-14.45', 'locked'], ['275', 'Michael Blythe', '24120.45', '289.45', 'open']].map(([payee_id, name, credited, earned, period_state]) => ({ payee: { payee_id, name }, period: period_state === 'open' ? '2014-Q1' : '2013-Q3', period_state, currency: 'USD', credited, earned })),
      effects_count: 14, has_error_file: true,
      first_errors: [[17, 'Betrag', 'breaks_contract', "'12,5O' is not an amount"], [243, 'Status', 'unknown_value', "'Verschoben' is not mapped"], [1_044, null, 'cell_count', '7 cells under 8 columns']].map(([row, column, code, message]) => ({ row, column, code, message })),
    })), 300);
    this.run = run;
    return found;
  }

  /** True when it was for us. `say(status, value)` answers. */
  async answer(request, pathname, query, user, say) {
    if (this.isAway) return say(503, { title: 'Not ready', status: 503, detail: 'The database cannot be reached.', request_id: '8c41-07f2' }) || true;
    const [, , what, id, more] = pathname.split('/');
    const isPost = request.method === 'POST';
    const body = async () => {
      const parts = [];
      for await (const part of request) parts.push(part);
      return Buffer.concat(parts);
    };
    const page = (rows) => {
      const limit = Number(query.get('limit') ?? 50);
      const at = Number(query.get('cursor') ?? 0);
      return say(200, { rows: rows.slice(at, at + limit), next_cursor: at + limit < rows.length ? String(at + limit) : null });
    };
    const matches = (row, names) => names.every((name) => !query.get(name) || row[name] === query.get(name));
    const one = (value) => (value ? say(200, value) : say(404, { title: 'There is nothing here for you', status: 404, detail: 'It does not exist.', request_id: 'x' }));
    const isAdmin = user.role === 'admin';
    if (what === 'alerts') {
      if (!id) return page(this.alerts(query.get('state') ?? 'open')), true;
      if (isPost) {
        const { text: given } = JSON.parse((await body()).toString());
        this.#note(id, more === 'acknowledge', given, 'Stephen Jiang');
      }
      return one(this.#alert(id)), true;
    }
    if (!isAdmin) return false;
    if (what === 'admin') return say(200, { version: 1, clock: this.#company.clock(), business_date: '2014-01-29', ...this.#queues(), sources: this.isEmpty ? [] : this.#sources(), period: '2013-Q4', alerts_open: this.alerts('open').length }), true;
    if (what === 'sources') return say(200, { rows: this.#sources() }), true;
    if (what === 'held') return id === 'summary' ? say(200, this.#queues().held) : page((this.isEmpty ? [] : this.held).filter((row) => matches(row, ['reason', 'source']) && (!query.get('payee_id') || row.payee?.payee_id === query.get('payee_id')))), true;
    if (what === 'dead-letters') {
      if (id === 'summary') return say(200, this.#queues().dead_letters), true;
      if (id) return one(this.letters.find(({ letter }) => letter.dead_letter_id === id)), true;
      return page((this.isEmpty ? [] : this.letters).map(({ letter }) => letter).filter((row) => matches(row, ['code']))), true;
    }
    if (what === 'not-eligible') return id === 'summary' ? say(200, this.#queues().not_eligible) : page(this.ineligible), true;
    if (what === 'periods' && more === 'lock') {
      if (isPost) this.#startLock();
      return say(isPost ? 202 : 200, this.#lock()), true;
    }
    if (what === 'mappings') {
      if (!id) return say(200, { rows: this.mappings }), true;
      const there = this.mappings.find((row) => row.mapping_id === id);
      if (request.method !== 'PUT') return one(there), true;
      const given = JSON.parse((await body()).toString());
      const saved = { mapping_id: id, ...given, version: (there?.version ?? 0) + 1 };
      this.mappings = [...this.mappings.filter((row) => row !== there), saved];
      return say(there ? 200 : 201, saved, { ETag: `"${saved.version}"` }), true;
    }
    if (what === 'imports') {
      if (id === 'columns') return await body(), say(200, { header: HEADER, sheet: null, sample: SAMPLE, guess: GUESS, saved: ['erp-orders'] }), true;
      if (id === 'deals') return say(202, this.#load(query.get('file_name') ?? 'deals.csv', (await body()).length)), true;
      if (!id) return page(this.imports), true;
      const found = this.imports.find((row) => row.import_id === id);
      if (more === 'errors') return say(200, 'row;column;code;message\n'), true;
      if (more === 'commit') {
        found.state = 'sending';
        found.done_rows = 0;
        setTimeout(() => this.run('done', 100_000, () => ({ counts: { ...found.counts, sent: 98_408 } })), 300);
        const run = () => {
          if (found.state === 'done') return;
          found.done_rows = Math.min(100_000, found.done_rows + 34_000);
          if (found.done_rows >= 100_000) Object.assign(found, { state: 'done', counts: { ...found.counts, sent: 98_408 } });
          else setTimeout(run, 500);
        };
        this.run = () => undefined;
        setTimeout(run, 300);
      }
      return one(found), true;
    }
    return false;
  }
}
