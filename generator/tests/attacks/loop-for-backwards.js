// rule: loop
export function handle(input) {
  for (let i = 0; i < 10; i -= 1) {}
  return null;
}
