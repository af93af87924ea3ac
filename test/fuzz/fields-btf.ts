import { KIND_SHAPES, ROLE_STRING, ROLE_TYPE, type Role } from '../../plugin/btf/kinds.js';
import { type Field, Numbers, type Order } from './field.js';

const GROUP_OF_ROLE: Readonly<Record<Role, string>> = {
  0: 'btf-plain',
  [ROLE_TYPE]: 'btf-type',
  [ROLE_STRING]: 'btf-name',
};

/** Fields of `struct btf_header` and of every word of the types; none of what is too short for a header. */
export function btfFields(bytes: Uint8Array, order: Order): Field[] {
  if (bytes.length < 24) return [];
  const numbers = new Numbers(bytes, order);
  const fields: Field[] = [
    { group: 'btf-header', at: 0, width: 2, order },
    { group: 'btf-header', at: 2, width: 1, order },
    { group: 'btf-header', at: 3, width: 1, order },
  ];
  const headerLength = numbers.at(4, 4);
  for (let at = 4; at < headerLength; at += 4) fields.push({ group: 'btf-header', at, width: 4, order });
  let at = headerLength + numbers.at(8, 4);
  const end = at + numbers.at(12, 4);
  for (let id = 1; at < end; id++) {
    const info = numbers.at(at + 4, 4);
    const { third, fixed, element } = KIND_SHAPES[(info >>> 24) & 0x1f];
    const vlen = element.length === 0 ? 0 : info & 0xffff;
    fields.push({ group: 'btf-name', at, width: 4, order }, { group: 'btf-info', at: at + 4, width: 4, order });
    at += 8;
    const roles = [third, ...fixed, ...Array.from({ length: vlen }, () => element).flat()];
    for (const role of roles) {
      fields.push({
        group: GROUP_OF_ROLE[role],
        at,
        width: 4,
        order,
        ...(role === ROLE_TYPE ? { self: id } : {}),
      });
      at += 4;
    }
  }
  return fields;
}

/**
 * Fields of `struct btf_ext_header`, and of func_info, line_info and CO-RE relocations: a record size, then
 * for each section its name, a count and the records (Documentation/bpf/btf.rst).
 */
export function extFields(bytes: Uint8Array, order: Order): Field[] {
  const numbers = new Numbers(bytes, order);
  const fields: Field[] = [
    { group: 'ext-header', at: 0, width: 2, order },
    { group: 'ext-header', at: 2, width: 1, order },
  ];
  const headerLength = numbers.at(4, 4);
  for (let at = 4; at < headerLength; at += 4) fields.push({ group: 'ext-header', at, width: 4, order });
  for (let pair = 8; pair + 8 <= headerLength; pair += 8) {
    let at = headerLength + numbers.at(pair, 4);
    const end = at + numbers.at(pair + 4, 4);
    if (at === end) continue;
    const record = numbers.at(at, 4);
    fields.push({ group: 'ext-size', at, width: 4, order });
    at += 4;
    while (at < end) {
      fields.push({ group: 'ext-size', at, width: 4, order }, { group: 'ext-size', at: at + 4, width: 4, order });
      const stop = at + 8 + numbers.at(at + 4, 4) * record;
      for (at += 8; at < stop; at += 4) fields.push({ group: 'ext-record', at, width: 4, order });
    }
  }
  return fields;
}
