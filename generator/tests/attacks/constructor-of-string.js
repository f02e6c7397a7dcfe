// rule: member-name
export function handle(input) {
  return ''.constructor.constructor('return 1')();
}
