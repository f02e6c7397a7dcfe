// rule: computed-member
export function handle(input) {
  return { ['__proto__']: input };
}
