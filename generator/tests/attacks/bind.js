// rule: member-name
export function handle(input) {
  return handle.bind(null);
}
