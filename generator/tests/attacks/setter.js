// rule: construct
export function handle(input) {
  return { set state(value) {} };
}
