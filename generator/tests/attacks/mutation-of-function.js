// rule: top-level-mutation
export function handle(input) {
  handle.state = input;
  return null;
}
