// rule: global
export function handle(input) {
  leaked = input;
  return null;
}
