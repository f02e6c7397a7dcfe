// rule: identifier
export function handle(input) {
  const еval = 1;
  return null;
}
