// rule: construct
export function handle(input) {
  if (input) {
    function inner() {}
  }
  return null;
}
