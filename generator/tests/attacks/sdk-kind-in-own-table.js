// rule: sdk
// with the sdk
export function handle(input) {
  return { reply }.reply(input, input);
}
