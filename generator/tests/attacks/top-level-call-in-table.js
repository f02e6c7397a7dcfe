// rule: top-level
const x = frozen({ a: String(1) });
export function handle(input) {
  return null;
}
