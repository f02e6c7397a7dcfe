// rule: syntax
export function handle(input) {
  const static = 1;
  return static;
}
