// rule: identifier
export function handle(input) {
  return \u0065val(input.event.text);
}
