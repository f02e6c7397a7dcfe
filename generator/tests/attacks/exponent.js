// rule: construct
export function handle(input) {
  return 9 ** 9;
}
