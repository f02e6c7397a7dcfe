// rule: top-level
const x = 1 < 2 ? 1 : 2;
export function handle(input) {
  return null;
}
