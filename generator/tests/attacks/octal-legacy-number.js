// rule: syntax
export function handle(input) {
  return 0101;
}
