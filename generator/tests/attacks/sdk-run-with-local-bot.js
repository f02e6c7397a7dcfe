// rule: sdk
// with the sdk
export function handle(input) {
  return run({ flows: input }, input);
}
