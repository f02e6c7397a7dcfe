// rule: top-level
if (1 < 2) {
}
export function handle(input) {
  return null;
}
