// rule: loop
export function handle(input) {
  let j = 0;
  for (let i = 0; j < 10; i += 1) {}
  return null;
}
