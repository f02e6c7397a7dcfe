// rule: global
export function handle(input) {
  return RegExp(input.event.text);
}
