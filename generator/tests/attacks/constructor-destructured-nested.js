// rule: member-name
export function handle(input) {
  const { state: { constructor: c } } = input;
  return c;
}
