// rule: syntax
export function handle(input) {
  const eval = input;
  return eval;
}
