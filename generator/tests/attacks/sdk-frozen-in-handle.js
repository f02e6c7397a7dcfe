// rule: sdk
// with the sdk
export function handle(input) {
  return frozen(input);
}
