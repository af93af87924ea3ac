import fc from 'fast-check';
import { BtfBuilder, type Member } from './build-btf.js';

/** Types that the programs of test/fixtures/bpf relocate against, some more often, and what they look for in them. */
const STRUCTS = [
  'task_struct',
  'task_struct',
  'task_struct',
  'task_struct',
  'sk_buff',
  'sk_buff',
  'iphdr',
  'net_device',
  'list_head',
  'hlist_head',
  'hlist_node',
  'callback_head',
  'refcount_t',
  'atomic_t',
  'bpf_attr',
  'no_such_struct',
] as const;
const MEMBERS = [
  'pid',
  'tgid',
  'comm',
  'usage',
  'refs',
  'counter',
  'in_execve',
  'tasks',
  'next',
  'prev',
  'first',
  'pprev',
  'func',
  'real_parent',
  'mm',
  'state',
  'flags',
  'len',
  'ip_summed',
  'cb',
  'priority',
  'ihl',
  'ttl',
  'key_size',
  'map_type',
  'ifindex',
  'netdev_ops',
  'name',
  'member',
  'no_such_member',
] as const;
const TYPEDEFS = ['pid_t', 'gfp_t', 'refcount_t', 'atomic_t'] as const;
const ENUMS = ['bpf_map_type', 'pid_type'] as const;
const ENUMERATORS = [
  'BPF_MAP_TYPE_ARRAY',
  'BPF_MAP_TYPE_HASH',
  'PIDTYPE_PID',
  'PIDTYPE_TGID',
  'PIDTYPE_TGID___x',
  'OTHER',
] as const;

interface Plan {
  readonly shape: 'struct' | 'union' | 'typedef' | 'enum' | 'array' | 'const' | 'ptr' | 'proto';
  readonly name: number;
  readonly flavour: string;
  readonly type: number;
  readonly length: number;
  readonly members: readonly { name: number; type: number; width: number; anonymous: boolean }[];
}

const plan: fc.Arbitrary<Plan> = fc.record({
  shape: fc.constantFrom<Plan['shape']>(
    'struct',
    'struct',
    'struct',
    'union',
    'typedef',
    'enum',
    'array',
    'const',
    'ptr',
    'proto',
  ),
  name: fc.nat(),
  flavour: fc.constantFrom('', '', '', '___x', '___old', '__x', '_____y'),
  type: fc.nat(),
  length: fc.constantFrom(0, 1, 3, 4, 16, 48),
  members: fc.array(
    fc.record({ name: fc.nat(), type: fc.nat(), width: fc.constantFrom(0, 0, 0, 1, 3), anonymous: fc.boolean() }),
    { maxLength: 12 },
  ),
});

const pick = <T>(from: readonly T[], nth: number): T => from[nth % from.length];

/** A little-endian BTF of names that the programs of test/fixtures/bpf look for, with members that may fit or not. */
export const arbitraryCoreTarget: fc.Arbitrary<Uint8Array> = fc
  .array(plan, { minLength: 4, maxLength: 40 })
  .map(plans => {
    const b = new BtfBuilder();
    const int = b.int('int', 4, { encoding: 1 });
    const pool = [
      int,
      b.int('unsigned int', 4),
      b.int('unsigned char', 1),
      b.int('long unsigned int', 8),
      b.int('char', 1, { encoding: 1 }),
      b.ptr(0),
      b.ptr(int),
    ];
    pool.push(b.array(pool[4], int, 16), b.array(pool[4], int, 48));
    const inner: number[] = [];
    for (const { shape, name, flavour, type, length, members } of plans) {
      const target = pick(pool, type);
      if (shape === 'typedef') pool.push(b.typedef(`${pick(TYPEDEFS, name)}${flavour}`, target));
      else if (shape === 'array') pool.push(b.array(target, int, length));
      else if (shape === 'const') pool.push(b.const(target));
      else if (shape === 'ptr') pool.push(b.ptr(target));
      else if (shape === 'proto')
        pool.push(
          b.ptr(
            b.funcProto(
              0,
              members.slice(0, 2).map(member => ({ name: '', type: pick(pool, member.type) })),
            ),
          ),
        );
      else if (shape === 'enum')
        pool.push(
          b.enum(
            `${pick(ENUMS, name)}${flavour}`,
            4,
            members.map((member, i) => ({ name: pick(ENUMERATORS, member.name), value: BigInt(i) })),
          ),
        );
      else {
        const full = length === 0 ? '' : `${pick(STRUCTS, name)}${flavour}`;
        const made = makeMembers(members, pool, inner, full === '', shape === 'union');
        const flag = made.some(({ width = 0 }) => width > 0);
        const id = shape === 'struct' ? b.struct(full, 512, made, flag) : b.union(full, 64, made, flag);
        if (full === '') inner.push(id);
        else pool.push(id);
      }
    }
    return b.build();
  });

/**
 * In C the members of an anonymous struct share their names' space with those around it, so no name may come twice: inner
 * structs take every other name, outer ones the rest and at most one inner struct.
 */
function makeMembers(
  members: Plan['members'],
  pool: readonly number[],
  inner: readonly number[],
  isInner: boolean,
  union: boolean,
): Member[] {
  const names = MEMBERS.filter((_, at) => (at % 2 === 0) === isInner);
  const used = new Set<string>();
  return members.flatMap(({ name: nth, type, width, anonymous }, i) => {
    const name = anonymous && !isInner && inner.length > 0 ? '' : pick(names, nth);
    if (used.has(name)) return [];
    used.add(name);
    const bits = union ? 0 : i * 64;
    if (name === '') return [{ name, type: pick(inner, type), bits }];
    if (width === 0) return [{ name, type: pick(pool, type), bits }];
    return [{ name, type: pick(pool, type % 4), bits: union ? 0 : bits + 5, width }];
  });
}
