// rule: construct
export function handle(...all) {
  return all;
}
