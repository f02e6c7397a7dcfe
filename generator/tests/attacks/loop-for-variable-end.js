// rule: loop
export function handle(input) {
  for (let i = 0; i < input.event.updateId; i += 1) {}
  return null;
}
