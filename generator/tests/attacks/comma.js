// rule: construct
export function handle(input) {
  return (input.state, 1);
}
