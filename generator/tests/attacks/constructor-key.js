// rule: member-name
export function handle(input) {
  return { constructor: input };
}
