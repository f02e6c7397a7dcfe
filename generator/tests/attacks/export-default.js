// rule: export
export default 1;
export function handle(input) {
  return null;
}
