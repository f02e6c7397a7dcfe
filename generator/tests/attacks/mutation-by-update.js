// rule: top-level-mutation
const seen = frozen({ n: 0 });
export function handle(input) {
  seen.n++;
  return null;
}
