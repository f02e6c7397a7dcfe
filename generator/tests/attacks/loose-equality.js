// rule: construct
export function handle(input) {
  return input == null;
}
