// rule: syntax
export function handle(input) {
  return { __proto__: null, __proto__: input };
}
