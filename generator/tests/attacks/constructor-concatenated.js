// rule: computed-member
export function handle(input) {
  return input['con' + 'structor'];
}
