// rule: top-level
Object.keys = 1;
export function handle(input) {
  return null;
}
