// rule: member-name
export function handle(input) {
  return { '\x5f_proto__': input };
}
