// rule: construct
export function handle(input) {
  return 'state' in input;
}
