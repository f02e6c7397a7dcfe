// rule: syntax
export function handle(input) {
  return super.x;
}
