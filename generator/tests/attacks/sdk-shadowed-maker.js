// rule: top-level
// with the sdk
const x = (frozen) => frozen;
export function handle(input) {
  return null;
}
const t = x(1);
