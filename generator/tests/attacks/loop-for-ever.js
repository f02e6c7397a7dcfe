// rule: loop
export function handle(input) {
  for (;;) {}
}
