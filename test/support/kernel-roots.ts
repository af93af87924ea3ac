import { NameIndex } from '../../plugin/btf/names.js';
import { asKernel, type KernelInput, withInput } from '../../plugin/pipeline/input.js';
import { type KernelRoots, kernelRoots } from '../../plugin/pipeline/roots.js';
import { bpftoolRaw } from './bpftool.js';
import { fixture } from './fixtures.js';

/** A kernel among the fixtures with all of its roots, while it is open. */
export function withKernel<T>(name: string, use: (kernel: KernelInput, found: KernelRoots) => T): Promise<T> {
  return withInput(fixture(`${name}/vmlinux`), undefined, input => {
    const kernel = asKernel(input, new NameIndex(input.btf));
    return use(kernel, kernelRoots(kernel));
  });
}

const known = new Map<string, Promise<readonly string[]>>();

/** `kind:name` of each type id as bpftool prints them; 0 is `void:`. Asked once a process. */
export function bpftoolNames(file: string): Promise<readonly string[]> {
  const names = known.get(file) ?? readNames(file);
  known.set(file, names);
  return names;
}

async function readNames(file: string): Promise<readonly string[]> {
  const { text, complaint } = await bpftoolRaw(file);
  if (text === undefined) throw new Error(complaint);
  const names = ['void:'];
  for (const [, id, kind, name] of text.matchAll(/^\[(\d+)\] (\w+) '([^']*)'/gm))
    names[Number(id)] = `${kind.toLowerCase()}:${name}`;
  return names;
}
