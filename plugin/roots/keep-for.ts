import type { Need } from '../bpf/needs.js';
import { kindName } from '../btf/kinds.js';
import type { Root } from './root.js';

/** How a keep rule names a type. */
export function ruleOf({ kind, name }: Pick<Need, 'kind' | 'name'>): string {
  return `${kindName(kind)}:${name}`;
}

/** The types that the needs of an object name, with the object and what it does with them as their source. */
export function keepForRoots(object: string, needs: readonly Need[]): Root[] {
  return needs.flatMap(({ ids, uses }) => {
    const source = `for ${object}: ${uses[0]}${uses.length > 1 ? ` and ${uses.length - 1} more` : ''}`;
    return ids.map(id => ({ id, reason: 'keep' as const, source }));
  });
}

/** One sentence for each need that no rule can satisfy. */
export function keepForWarnings(object: string, needs: readonly Need[]): string[] {
  return needs
    .filter(({ optional }) => !optional)
    .flatMap(need => {
      const what = `${object} needs ${ruleOf(need)} (${need.uses[0]})`;
      if (need.module !== undefined) return [`${what} of the module ${need.module}, which no rule keeps`];
      if (need.refused.length > 0) return [`${what}, which libbpf refuses: ${need.refused.join(', ')}`];
      if (need.ids.length === 0) return [`${what}, which this kernel has not`];
      if (need.missing.length > 0)
        return [`${object} needs ${ruleOf(need)} with ${need.missing.join(', ')}, which this kernel has not`];
      return [];
    });
}
