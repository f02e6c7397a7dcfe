// rule: syntax
export function handle(input) {
  const let = 1;
  return let;
}
