/**
 * The way to a value in JSON, as it is written in JavaScript: `budgets[0].max`. Keys that are no identifiers stand in brackets, and
 * long ones are cut.
 */
export function jsonPath(keys: readonly (string | number)[]): string {
  return keys
    .map((key, nth) => {
      if (/^\d{1,10}$/.test(String(key))) return `[${key}]`;
      const text = String(key);
      if (/^[$\w]{1,64}$/.test(text)) return nth === 0 ? text : `.${text}`;
      return `[${JSON.stringify(text.slice(0, 64))}]`;
    })
    .join('');
}
