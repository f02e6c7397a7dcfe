// rule: syntax
export function handle(input) {
  return '\08';
}
