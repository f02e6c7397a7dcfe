// rule: loop
export function handle(input) {
  for (let i = 0; i < 10; i += 1) {
    i = 0;
  }
  return null;
}
