// rule: computed-member
export function handle(input) {
  const { ['con' + 'structor']: c } = input;
  return c;
}
