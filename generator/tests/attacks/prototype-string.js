// rule: member-name
export function handle(input) {
  return String['prototype'];
}
