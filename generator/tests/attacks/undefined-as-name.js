// rule: identifier
export function handle(input) {
  const undefined = 1;
  return undefined;
}
