// rule: construct
export function* handle(input) {
  return null;
}
