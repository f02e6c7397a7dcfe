// rule: slash
export function handle(input) {
  return /a+/.test(input.event.text);
}
