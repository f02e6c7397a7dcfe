// rule: member-name
export function handle(input) {
  const { constructor: c } = input;
  return c;
}
