// rule: top-level-mutation
// with the sdk
export function handle(input) {
  own = input;
  return null;
}
