// rule: construct
export function handle(input) {
  delete input.state;
  return null;
}
