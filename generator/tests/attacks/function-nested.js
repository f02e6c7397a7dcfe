// rule: construct
export function handle(input) {
  function inner() {}
  return inner;
}
