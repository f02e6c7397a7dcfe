// rule: global
export function handle(input) {
  return globalThis;
}
