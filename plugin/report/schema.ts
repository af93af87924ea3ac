import { REASONS } from '../roots/root.js';
import { RETAINED_PER } from './model.js';

/** A JSON Schema, as data. */
export type JsonSchema = Readonly<Record<string, unknown>>;

export const SCHEMA_VERSION = 1;

function object(required: Record<string, JsonSchema>, optional: Record<string, JsonSchema> = {}): JsonSchema {
  return {
    type: 'object',
    additionalProperties: false,
    required: Object.keys(required),
    properties: { ...required, ...optional },
  };
}

const described = (description: string, schema: JsonSchema): JsonSchema => ({ description, ...schema });
const list = (items: JsonSchema): JsonSchema => ({ type: 'array', items });
const record = (values: JsonSchema): JsonSchema => ({ type: 'object', additionalProperties: values });
const oneOf = (values: readonly unknown[]): JsonSchema => ({ enum: values });
const ref = (name: string): JsonSchema => ({ $ref: `#/$defs/${name}` });

const TEXT = { type: 'string' };
const NUMBER = ref('number');

const DEFINITIONS: Readonly<Record<string, JsonSchema>> = {
  number: { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
  count: object({ types: NUMBER, bytes: NUMBER }),
  compressed: described(
    'Bytes by compressor; null where the host lacks it.',
    record({ type: ['integer', 'null'], minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  ),
  side: object({
    types: NUMBER,
    bytes: NUMBER,
    typeBytes: NUMBER,
    stringBytes: NUMBER,
    headerBytes: NUMBER,
    compressed: ref('compressed'),
  }),
  measured: object({ bytes: NUMBER, compressed: ref('compressed') }),
};

const INPUT = object(
  {
    file: TEXT,
    kind: oneOf(['vmlinux', 'btf']),
    bytes: NUMBER,
    sha256: { type: 'string', pattern: '^[0-9a-f]{64}$' },
    btfBytes: NUMBER,
  },
  { architecture: TEXT, vermagic: TEXT },
);

const REASON_ROW = object({
  reason: oneOf([...REASONS, 'rest', 'header']),
  roots: NUMBER,
  types: NUMBER,
  typeBytes: NUMBER,
  stringBytes: NUMBER,
  bytes: NUMBER,
});

const TYPE_ROW = object({ id: NUMBER, kind: TEXT, name: TEXT, bytes: NUMBER, side: oneOf(['base', 'rest']) });

const IMAGE = object(
  {
    before: described('Loadable bytes of vmlinux, as a boot image is compressed from them.', ref('measured')),
    after: ref('measured'),
    ramResident: described('RAM of `after`: all bytes of its .BTF, and a pointer for each type in it.', NUMBER),
    ramSaved: described('RAM that the kernel saves.', NUMBER),
    ramSavedByRelinking: described('RAM that a kernel linked with the base would save on top.', NUMBER),
  },
  { linked: described('Linked with the base; otherwise finished before the split.', { const: true }) },
);

const MODULES = object(
  {
    mode: oneOf(['keep', 'prune', 'strip']),
    before: described('BTF of all modules together.', ref('count')),
    after: ref('count'),
    rows: list(
      object({
        name: TEXT,
        before: ref('count'),
        after: ref('count'),
        copied: NUMBER,
        signature: oneOf(['none', 'kept', 'dropped', 'made']),
      }),
    ),
  },
  {
    duplicates: described(
      'Types of which more than one module has a copy, after the split.',
      object({
        types: NUMBER,
        bytes: NUMBER,
        rows: list(object({ kind: TEXT, name: TEXT, modules: NUMBER, bytes: NUMBER })),
      }),
    ),
  },
);

const ANALYSIS = object({
  retained: list(object({ types: NUMBER, bytes: NUMBER, per: oneOf(RETAINED_PER), name: TEXT, roots: NUMBER })),
  curve: described('The base by how many pointers are followed.', list(ref('count'))),
  treemap: described(
    'Each byte of the full BTF once.',
    list(
      object(
        { reason: oneOf([...REASONS, 'rest', 'header']), kind: TEXT, types: NUMBER, bytes: NUMBER },
        { name: TEXT },
      ),
    ),
  ),
});

/** The shape of report.json (draft 2020-12); {@link Report} of model.ts has the same keys. Published as schema/report.schema.json. */
export const REPORT_SCHEMA: JsonSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'report.json of vmlinux-btf',
  description: 'Everything measured of one split. All sizes are bytes.',
  ...object(
    {
      schemaVersion: { const: SCHEMA_VERSION },
      tool: object({ name: TEXT, version: TEXT }),
      input: described('What was split.', INPUT),
      closure: oneOf(['complete', 'forward']),
      full: ref('side'),
      base: ref('side'),
      rest: ref('side'),
      padding: described('NULs behind the strings of the base, not counted in `base`.', NUMBER),
      kinds: list(object({ kind: TEXT, full: ref('count'), base: ref('count'), rest: ref('count') })),
      reasons: described('Each byte of the full BTF once.', list(REASON_ROW)),
      largest: list(TYPE_ROW),
      compressors: described('Command line of each compressor, or why it was not run.', record(TEXT)),
      proved: list(TEXT),
      warnings: list(TEXT),
    },
    {
      forward: described(
        'Closure `forward`: what `full` has more than the input.',
        object({ forwards: NUMBER, copies: NUMBER, bytes: NUMBER }),
      ),
      image: described('Absent for bare BTF.', IMAGE),
      carrier: described('vmlinux_btf.ko.', ref('measured')),
      modules: described('Absent when no modules were given.', MODULES),
      analysis: described('What the command `report` finds out.', ANALYSIS),
    },
  ),
  $defs: DEFINITIONS,
};
