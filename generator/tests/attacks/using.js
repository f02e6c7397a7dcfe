// rule: construct
export function handle(input) {
  using x = null;
  return null;
}
