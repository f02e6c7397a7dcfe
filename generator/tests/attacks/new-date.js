// rule: construct
export function handle(input) {
  return new Date();
}
