// rule: computed-member
export function handle(input) {
  return input[['construct', 'or'].join('')];
}
