// rule: member-name
export function handle(input) {
  input.__defineGetter__('x', () => 1);
  return input;
}
