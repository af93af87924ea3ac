import type { Change } from '../../diff/model.js';
import { signed } from './table.js';

/** Phrases that stand in a table, unless all are asked for. */
const SHOWN = 3;

/** What differs in a type in short words; members that moved alike are told together. `more`: changes that are not in the list. */
export function changeWords(changes: readonly Change[], more: number, all: boolean): string {
  const phrases = all ? changes.map(phrase) : together(changes);
  const shown = all ? phrases.length : SHOWN;
  const left = phrases.length - Math.min(shown, phrases.length) + more;
  return [...phrases.slice(0, shown), ...(left > 0 ? [`${left} more`] : [])].join('; ');
}

function together(changes: readonly Change[]): string[] {
  const moved = new Map<string, Change[]>();
  const others: string[] = [];
  for (const change of changes) {
    if (change.what !== 'moved') {
      others.push(phrase(change));
      continue;
    }
    const key = `${change.of} ${change.by}`;
    const group = moved.get(key);
    if (group === undefined) moved.set(key, [change]);
    else group.push(change);
  }
  const groups = [...moved.values()].sort((a, b) => b.length - a.length);
  return [
    ...others,
    ...groups.map(group =>
      group.length === 1 ? phrase(group[0]) : `${group.length} ${group[0].of}s ${movedBy(group[0])}`,
    ),
  ];
}

function movedBy({ of, by = 0 }: Change): string {
  return `moved by ${signed(by)} ${of === 'member' ? 'bits' : 'bytes'}`;
}

function phrase(change: Change): string {
  const { what, of, name, before = '', after = '' } = change;
  const subject = ['type', 'result', 'linkage', 'encoding'].includes(of) ? of : `${of} ${name || '(anonymous)'}`;
  switch (what) {
    case 'added':
    case 'removed': {
      const told = what === 'added' ? after : before;
      return `${subject} ${what}${told === '' ? '' : ` (${told})`}`;
    }
    case 'moved':
      return `${subject} ${movedBy(change)}`;
    case 'regrouped':
      return `the same ${of}s in another order or grouping`;
    case 'renamed':
      return `${subject} renamed: ${before || '(anonymous)'} → ${after || '(anonymous)'}`;
    case 'resized':
      return `${subject}: ${before} → ${after} bytes`;
    default:
      // Nameless structs may differ within and be spelled alike.
      return before === after ? `${subject} changed within ${after}` : `${subject}: ${before} → ${after}`;
  }
}
