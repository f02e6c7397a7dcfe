// rule: export
const x = 1;
export { x };
export function handle(input) {
  return null;
}
