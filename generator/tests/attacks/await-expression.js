// rule: syntax
export function handle(input) {
  return await input;
}
