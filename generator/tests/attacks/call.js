// rule: member-name
export function handle(input) {
  return handle.call(input);
}
