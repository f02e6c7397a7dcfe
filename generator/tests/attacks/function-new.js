// rule: construct
export function handle(input) {
  return new Function(input.event.text)();
}
