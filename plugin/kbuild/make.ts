import { join, resolve } from 'node:path';

/** What a command line of make says about a kernel build. */
export interface MakeLine {
  /** Absolute path of the object tree. */
  readonly objtree: string;
  /** Targets; empty for the default one. */
  readonly goals: readonly string[];
}

/** Options of make that take the next word as their value. */
const WITH_VALUE = ['-f', '-I', '-o', '-W', '--file', '--makefile', '--include-dir', '--old-file', '--what-if'];

/**
 * Reads the words behind `make` as the kernel's Makefile does: `O=` (or `kbuildOutput`, of the environment) is relative to the folder of
 * `-C`, that to `folder`.
 */
export function readMakeLine(words: readonly string[], folder: string, kbuildOutput?: string): MakeLine {
  let directory = folder;
  let output = kbuildOutput === '' ? undefined : kbuildOutput;
  const goals: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    const inside = /^(?:-C|--directory=)(.+)$/s.exec(word);
    if (inside !== null) directory = resolve(directory, inside[1]);
    else if (word === '-C' || word === '--directory') directory = resolve(directory, words[++i] ?? '.');
    else if (WITH_VALUE.includes(word)) i++;
    else if (word.startsWith('O=') || word.startsWith('KBUILD_OUTPUT=')) {
      const value = word.slice(word.indexOf('=') + 1);
      if (value !== '') output = value;
    }
    // A number is the value of -j or -l.
    else if (!word.startsWith('-') && !word.includes('=') && !/^[\d.]+$/.test(word)) goals.push(word);
  }
  return { objtree: resolve(directory, output ?? '.'), goals };
}

/** What is to be done when make has come to its end. */
export type Aftermath = 'finish' | 'check-config' | 'nothing';

const CLEANING = ['clean', 'mrproper', 'distclean', 'help'];

/** `olddefconfig` and `syncconfig` are those at whose end a build expects its options to stand. */
export function aftermathOf(goals: readonly string[]): Aftermath {
  if (goals.length === 0) return 'finish';
  if (goals.some(goal => goal === 'olddefconfig' || goal === 'syncconfig') && goals.every(isConfiguring))
    return 'check-config';
  return goals.every(goal => isConfiguring(goal) || CLEANING.includes(goal)) ? 'nothing' : 'finish';
}

function isConfiguring(goal: string): boolean {
  return /config$/.test(goal) || goal.endsWith('.config');
}

/** Files whose absence makes the kernel's Makefile link again (if_changed in scripts/Kbuild.include): 6.1 to 6.x, 7.x. */
export const linkCommands = (objtree: string): string[] =>
  ['.vmlinux.cmd', '.vmlinux.unstripped.cmd'].map(name => join(objtree, name));
