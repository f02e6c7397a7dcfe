// rule: syntax
export function handle(input) {
  delete input;
  return null;
}
