// rule: identifier
export function handle(input) {
  const Object = input;
  return Object;
}
