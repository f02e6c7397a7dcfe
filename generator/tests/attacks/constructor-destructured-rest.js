// rule: construct
export function handle(input) {
  const { state, ...rest } = input;
  return rest;
}
