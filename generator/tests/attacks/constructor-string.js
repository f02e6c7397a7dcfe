// rule: member-name
export function handle(input) {
  return input['constructor'];
}
