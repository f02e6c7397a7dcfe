// rule: member-name
export function handle(input) {
  Object.defineProperty(input, 'state', {});
  return input;
}
