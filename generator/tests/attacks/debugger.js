// rule: construct
export function handle(input) {
  debugger;
  return null;
}
