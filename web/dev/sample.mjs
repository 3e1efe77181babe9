/** AdventureWorks as of 29 January 2014, and boards of every edge. Amounts are cents as BigInt. */

const REPS = [
  ['275', 'Michael Blythe', 'Central', '728590.34', '849000', -3],
  ['276', 'Linda Mitchell', 'Southwest', '851503.58', '894000', 1],
  ['277', 'Jillian Carson', 'Northeast', '611129.05', '714000', 2],
  ['278', 'Garrett Vargas', 'Canada', '245520.36', '280000', 3],
  ['279', 'Tsvi Reiter', 'Southeast', '483937.84', '538000', 2],
  ['280', 'Pamela Ansman-Wolfe', 'Northwest', '287360.76', '343000', -1],
  ['281', 'Shu Ito', 'Southwest', '488129.36', '614000', -4],
  ['282', 'José Saraiva', 'United Kingdom', '502176.78', '569000', 9],
  ['283', 'David Campbell', 'Northwest', '293810.76', '234000', 0],
  ['284', 'Tete Mensa-Annan', 'Northwest', '387635.96', '454000', -3],
  ['286', 'Lynn Tsoflias', 'Australia', '335166.42', '399000', 1],
  ['288', 'Rachel Valdez', 'Germany', '348907.60', '366000', 0],
  ['289', 'Jae Pak', 'Canada', '778625.42', '883000', 3],
  ['290', 'Ranjit Varkey Chudukatil', 'France', '595612.63', '707000', -8],
];

const EDGES = [
  ['901', 'Maximiliana Konstantinopoulou-Oberhauser', 'Germany', '408400.00', '400000', 2],
  ['902', 'عبد الرحمن الخطيب', 'Australia', '393600.00', '400000', 0],
  ['903', 'נועה בן־דוד', 'France', '399840.00', '400000', -1],
  ['904', 'Amy Alberts', null, '13124.00', '1000', 4],
  ['905', 'Stephen Jiang', null, '5313.01', null, null],
  ['906', 'Syed Abbas', 'Pacific Sales', '-16480.00', '403000', -5],
  ['282', 'José Saraiva', 'United Kingdom', '502176.78', '569000', 0],
];

const cents = (text) => BigInt(text.includes('.') ? text.replace('.', '') : `${text}00`);
const text = (value, places = 2) => {
  const digits = (value < 0n ? -value : value).toString().padStart(places + 1, '0');
  return `${value < 0n ? '-' : ''}${digits.slice(0, -places)}.${digits.slice(-places)}`;
};
const ratio = (amount, quota) => (quota === null ? null : (amount * 1_000_000n) / quota);

const peopleOf = (list) =>
  list.map(([payee_id, name, territory, amount, quota, moved]) => ({
    payee_id, name, territory, moved,
    amount: cents(amount),
    quota: quota === null ? null : cents(quota),
  }));

export class Company {
  boards = {
    reps: { name: 'Attainment, all reps', measure: 'attainment', people: peopleOf(REPS) },
    credited: { name: 'Credited', measure: 'amount', people: peopleOf(REPS) },
    edges: { name: 'Edges', measure: 'attainment', people: peopleOf(EDGES) },
    one: { name: 'Australia', measure: 'attainment', people: peopleOf(REPS.slice(10, 11)) },
    start: { name: 'New period', measure: 'attainment', people: peopleOf(REPS).map((p) => ({ ...p, amount: 0n, moved: 0 })), isNew: true },
    empty: { name: 'Empty', measure: 'attainment', people: [], isNew: true },
  };
  version = 1_000;
  rate = '1';
  #started = Date.now();
  #business = Date.parse('2014-01-29T14:03:07Z');

  users() {
    const reps = REPS.map(([id, name, territory]) => ({ user_id: `rep-${id}`, name, role: 'rep', title: `Sales representative, ${territory}` }));
    return [
      ...reps,
      { user_id: 'manager-274', name: 'Stephen Jiang', role: 'manager', title: 'North American sales manager' },
      { user_id: 'manager-285', name: 'Syed Abbas', role: 'manager', title: 'Pacific sales manager' },
      { user_id: 'manager-287', name: 'Amy Alberts', role: 'manager', title: 'European sales manager' },
      { user_id: 'admin-1', name: 'Ken Sánchez', role: 'admin', title: 'Chief executive officer' },
      { user_id: 'admin-2', name: 'David Barber', role: 'admin', title: 'Compensation administrator' },
    ];
  }

  clock() {
    const at = this.#business + (Date.now() - this.#started) * Number(this.rate);
    return { business_at: new Date(at).toISOString(), rate: this.rate };
  }

  setRate(rate) {
    this.#business = Date.parse(this.clock().business_at);
    this.#started = Date.now();
    this.rate = rate;
  }

  /** Somebody sells something on a board. */
  sell(boardId, payeeId, amount) {
    this.version += 1;
    const person = this.boards[boardId].people.find((p) => p.payee_id === payeeId);
    person.amount += cents(amount);
  }

  stamps(isNew) {
    return {
      period: '2014-Q1', period_name: '30 Nov - 28 Feb', starts_on: '2013-11-30',
      ends_on: '2014-03-01', state: 'open', currency: 'USD',
      complete_through: isNew ? null : '2014-01-29T14:02:00Z',
    };
  }

  board(boardId) {
    const board = this.boards[boardId];
    if (!board) return null;
    const isByAttainment = board.measure === 'attainment';
    const key = (p) => (isByAttainment ? ratio(p.amount, p.quota) : p.amount);
    const ranked = board.people
      .filter((p) => key(p) !== null)
      .sort((a, b) => (key(b) > key(a) ? 1 : key(b) < key(a) ? -1 : 0));
    const rankOf = (p) => 1 + ranked.filter((other) => key(other) > key(p)).length;
    const rows = [...ranked, ...board.people.filter((p) => key(p) === null)].map((p, at) => ({
      payee_id: p.payee_id, name: p.name, territory: p.territory,
      rank: key(p) === null ? null : rankOf(p),
      moved: p.moved,
      amount: text(p.amount),
      quota: p.quota === null ? null : text(p.quota),
      attainment_ratio: p.quota === null ? null : text(ratio(p.amount, p.quota), 6),
      gap_to_next: at === 0 || key(p) === null ? null : text(key(ranked[at - 1]) - key(p), isByAttainment ? 6 : 2),
      is_me: false,
    }));
    const total = board.people.reduce((sum, p) => sum + p.amount, 0n);
    const quota = board.people.reduce((sum, p) => sum + (p.quota ?? 0n), 0n) || null;
    return {
      board_id: boardId, name: board.name, measure: board.measure,
      stamps: this.stamps(board.isNew), business_date: '2014-01-29', moved_since: 'start of 29 Jan',
      expected_share: isByAttainment ? (board.isNew ? '0.0000' : '0.9000') : null,
      curve: isByAttainment ? 'last_year' : null,
      total_amount: text(total), total_quota: quota && text(quota),
      total_ratio: quota && text(ratio(total, quota), 6),
      rows,
    };
  }

  progress(payeeId) {
    const person = [...this.boards.reps.people, ...this.boards.edges.people].find((p) => p.payee_id === payeeId);
    if (!person) return null;
    const { amount, quota } = person;
    const share = ratio(amount, quota);
    const gap = quota === null ? null : quota - amount;
    const earned = (amount * 12n) / 1000n;
    return {
      payee_id: payeeId, name: person.name, stamps: this.stamps(false),
      account_id: `account-${payeeId}`, account_version: this.version,
      credited: text(amount), quota: quota && text(quota),
      attainment_ratio: share === null ? null : text(share, 6),
      gap_to_quota: gap === null ? null : text(gap),
      expected_share: quota && '0.9000', curve: quota && 'last_year',
      pace_ratio: share === null ? null : text((share * 10n) / 9n, 6),
      working_days_left: 22,
      required_per_remaining_working_day: gap === null || gap <= 0n ? null : text(gap / 22n),
      earned_provisional: text(earned - earned / 3n), earned_final: text(earned / 3n),
      corrections: payeeId === '283' ? '-12.50' : '0',
      components: [
        { component: 'own_deals', credited: text(amount), credits: 22, earned: text(earned) },
        { component: 'new_customers', credited: '12400.00', credits: 2, earned: '148.80' },
      ],
      alerts: share !== null && share < 900_000n
        ? [{ alert_id: 'a1', kind: 'off_pace', severity: 'warning', raised_on: '2014-01-27', text: 'Below pace since 27 Jan: 88.2 % where last year’s shape expects 90.0 %.' }]
        : [],
    };
  }
}
