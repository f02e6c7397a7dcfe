// rule: computed-member
export function handle(input) {
  return input['rotcurtsnoc'.split('').reverse().join('')];
}
