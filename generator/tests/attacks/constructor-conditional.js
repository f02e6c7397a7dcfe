// rule: computed-member
export function handle(input) {
  return input[input.ok ? 'constructor' : 'x'];
}
