// rule: construct
export function handle(input) {
  return new.target;
}
