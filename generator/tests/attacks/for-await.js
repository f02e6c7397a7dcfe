// rule: syntax
export function handle(input) {
  for await (const x of []) {
  }
  return null;
}
