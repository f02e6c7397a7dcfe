// rule: computed-member
export function handle(input) {
  const key = input.event.text;
  return input[key];
}
