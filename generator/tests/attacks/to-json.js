// rule: member-name
export function handle(input) {
  return { state: { toJSON: () => 1 } };
}
