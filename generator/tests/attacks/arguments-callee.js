// rule: global
export function handle(input) {
  return arguments.callee;
}
