// rule: construct
export function handle(input) {
  var x = 1;
  return x;
}
