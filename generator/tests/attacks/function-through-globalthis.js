// rule: global
export function handle(input) {
  return globalThis.Function(input.event.text)();
}
