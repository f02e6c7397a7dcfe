// rule: construct
export function handle(input) {
  return { get state() { return 1; } };
}
