// rule: computed-member
export function handle(input) {
  return input['__pro' + 'to__'];
}
