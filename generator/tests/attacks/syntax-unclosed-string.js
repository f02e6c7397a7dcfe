// rule: syntax
export function handle(input) {
  return 'x;
}
