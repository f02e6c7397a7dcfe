// rule: member-name
export function handle(input) {
  return { '__proto__': input };
}
