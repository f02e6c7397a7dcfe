// rule: member-name
export function handle(input) {
  return arguments.callee;
}
