// rule: sdk
// with the sdk
export function handle(input) {
  return member(input, input.event.text);
}
