// rule: construct
export function handle(input) {
  throw 1;
}
