// rule: sdk
// with the sdk
const bot = frozen({ flows: {} });
export function handle(input) {
  input.state = { v: Object };
  return run(bot, input);
}
