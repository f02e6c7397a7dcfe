// rule: member-name
export function handle(input) {
  Object.setPrototypeOf(input, null);
  return input;
}
