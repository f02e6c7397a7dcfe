// rule: construct
export function handle(input) {
  return [...input.event.text];
}
