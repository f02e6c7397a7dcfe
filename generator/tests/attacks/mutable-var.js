// rule: top-level-mutation
var count = 0;
export function handle(input) {
  return null;
}
