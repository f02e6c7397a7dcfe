// rule: construct
export function handle(input) {
  return { run() { return 1; } };
}
