// rule: member-name
export function handle(input) {
  input.__proto__ = null;
  return input;
}
