// rule: construct
export function handle(input) {
  return Math.max(...input.event.text);
}
