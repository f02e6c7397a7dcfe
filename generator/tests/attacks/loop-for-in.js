// rule: loop
export function handle(input) {
  for (const key in input) {}
  return null;
}
