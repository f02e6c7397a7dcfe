// rule: syntax
export function handle(input) {
  const x: number = 1;
  return x;
}
