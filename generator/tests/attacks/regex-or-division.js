// rule: slash
export function handle(input) {
  const a = 1;
  const g = 1;
  return a / 1 /g;
}
