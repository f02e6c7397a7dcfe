// rule: member-name
export function handle(input) {
  const { constructor } = input;
  return constructor;
}
