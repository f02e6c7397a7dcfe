// rule: top-level-mutation
let count = 0;
export function handle(input) {
  return null;
}
