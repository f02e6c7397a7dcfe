// rule: construct
export function handle(input) {
  return 10n;
}
