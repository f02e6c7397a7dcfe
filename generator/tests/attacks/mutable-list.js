// rule: top-level-mutation
const seen = [];
export function handle(input) {
  return null;
}
