/** The people of the demo's sign-in: found by what was typed, grouped by role. */

import type { DemoUser } from './api.ts';
import { roleGroup } from './words.ts';

export interface Group {
  readonly name: string;
  readonly users: readonly DemoUser[];
}

/** Letters without their marks, so that "jose" finds José. */
const plain = (text: string): string =>
  text.normalize('NFD').replace(/\p{M}/gu, '').toLocaleLowerCase('en');

/** Everyone in whose name, title or role each typed word begins a word. */
export function found(users: readonly DemoUser[], wanted: string): readonly DemoUser[] {
  const words = plain(wanted).split(/\s+/).filter(Boolean);
  return users.filter((user) => {
    const text = ` ${plain(`${user.name} ${user.title ?? ''} ${user.role} ${roleGroup(user.role)}`)}`;
    return words.every((word) => text.includes(` ${word}`) || text.includes(`-${word}`));
  });
}

/** In the order in which roles first appear. */
export function grouped(users: readonly DemoUser[]): readonly Group[] {
  const groups = new Map<string, DemoUser[]>();
  for (const user of users) {
    const name = roleGroup(user.role);
    groups.set(name, [...(groups.get(name) ?? []), user]);
  }
  return [...groups].map(([name, members]) => ({ name, users: members }));
}
