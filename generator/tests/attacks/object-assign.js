// rule: member-name
export function handle(input) {
  return Object.assign(Object, input);
}
