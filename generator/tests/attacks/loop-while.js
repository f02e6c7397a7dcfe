// rule: loop
export function handle(input) {
  while (true) {}
}
