// rule: top-level-mutation
export function handle(input) {
  Object.keys = input;
  return null;
}
