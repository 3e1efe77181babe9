/** The words for what frames name by a key. */

const CURVES: Readonly<Record<string, string>> = {
  working_days: 'by working days',
  last_year: 'last year’s shape',
};

const ROLES: Readonly<Record<string, string>> = {
  rep: 'Sales reps',
  seller: 'Sales reps',
  payee: 'Sales reps',
  manager: 'Managers',
  finance: 'Finance',
  planner: 'Planners',
  admin: 'Administrators',
};

const ROLE: Readonly<Record<string, string>> = {
  rep: 'Rep',
  seller: 'Rep',
  payee: 'Rep',
  manager: 'Manager',
  admin: 'Administrator',
};

const plain = (key: string): string => key.replaceAll('_', ' ');
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** The pace curve's name; an unknown one is shown as it is. */
export const curveWords = (curve: string | null): string =>
  curve === null ? 'curve not named' : (CURVES[curve] ?? plain(curve));

export const roleGroup = (role: string): string => ROLES[role] ?? capital(plain(role));
export const roleWord = (role: string): string => ROLE[role] ?? capital(plain(role));
export const componentWords = (component: string): string => capital(plain(component));

/** "1 move", "3 moves". */
export const count = (n: number, one: string, many = `${one}s`): string =>
  `${n.toLocaleString('en')} ${n === 1 ? one : many}`;

/** 1st, 2nd, 3rd, 11th. */
export function ordinal(n: number): string {
  const teen = n % 100 >= 11 && n % 100 <= 13;
  return `${n}${teen ? 'th' : (['th', 'st', 'nd', 'rd'][n % 10] ?? 'th')}`;
}

/** Two letters for the round picture. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/u);
  const first = [...(words[0] ?? '')][0] ?? '';
  const last = words.length > 1 ? ([...(words.at(-1) ?? '')][0] ?? '') : '';
  return (first + last).toUpperCase();
}

/** "1 up since start of 3 Mar". */
export function movedWords(moved: number | null, since: string): string {
  if (moved === null) return `no earlier place since ${since}`;
  if (moved === 0) return `unchanged since ${since}`;
  return `${count(Math.abs(moved), 'place')} ${moved > 0 ? 'up' : 'down'} since ${since}`;
}
