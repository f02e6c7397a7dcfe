// rule: member-name
export function handle({ constructor: c }) {
  return c;
}
