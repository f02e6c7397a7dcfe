// rule: construct
export function handle(input) {
  return [, 1];
}
