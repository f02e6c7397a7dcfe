// rule: member-name
export function handle(input) {
  const x = { constructor: 1 };
  return x;
}
