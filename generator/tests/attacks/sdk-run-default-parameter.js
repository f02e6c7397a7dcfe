// rule: sdk
// with the sdk
const bot = frozen({});
export function handle(input = Object) {
  return run(bot, input);
}
