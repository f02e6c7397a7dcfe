// rule: loop
export function handle(input) {
  for (let i = 0; i < 1e999; i += 1) {}
  return null;
}
