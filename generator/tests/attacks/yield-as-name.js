// rule: syntax
export function handle(input) {
  const yield = 1;
  return yield;
}
