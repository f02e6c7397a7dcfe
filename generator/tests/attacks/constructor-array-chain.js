// rule: member-name
export function handle(input) {
  return []['flat']['constructor'];
}
