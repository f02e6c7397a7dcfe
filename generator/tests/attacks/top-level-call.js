// rule: top-level
handle(1);
export function handle(input) {
  return null;
}
