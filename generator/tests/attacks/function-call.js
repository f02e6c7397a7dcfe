// rule: global
export function handle(input) {
  return Function(input.event.text)();
}
