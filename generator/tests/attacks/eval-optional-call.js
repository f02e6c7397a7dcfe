// rule: global
export function handle(input) {
  return eval?.(input.event.text);
}
