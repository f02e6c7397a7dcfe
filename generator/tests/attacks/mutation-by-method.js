// rule: top-level-mutation
const seen = frozen([]);
export function handle(input) {
  seen.push(input);
  return null;
}
