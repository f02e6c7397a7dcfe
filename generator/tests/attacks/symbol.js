// rule: global
export function handle(input) {
  return Symbol.iterator;
}
