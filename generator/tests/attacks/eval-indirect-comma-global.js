// rule: global
export function handle(input) {
  return (0, eval)(input.event.text);
}
