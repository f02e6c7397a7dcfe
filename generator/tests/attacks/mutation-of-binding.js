// rule: top-level-mutation
function helper() {}
export function handle(input) {
  helper = input;
  return null;
}
