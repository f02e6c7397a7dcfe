// rule: loop
export function handle(input) {
  do {} while (input);
  return null;
}
