// rule: loop
export function handle(input) {
  for (let i = 0; i < 1000000000; i += 1) {}
  return null;
}
