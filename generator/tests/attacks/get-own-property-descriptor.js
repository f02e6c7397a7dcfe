// rule: member-name
export function handle(input) {
  return Object.getOwnPropertyDescriptor(input, 'state');
}
