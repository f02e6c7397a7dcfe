// rule: export
export const x = 1;
export function handle(input) {
  return null;
}
