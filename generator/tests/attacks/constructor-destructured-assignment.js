// rule: construct
export function handle(input) {
  let c;
  ({ constructor: c } = input);
  return c;
}
