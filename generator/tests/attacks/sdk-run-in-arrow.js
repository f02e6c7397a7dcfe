// rule: sdk
// with the sdk
const bot = frozen({});
const go = (input) => run(bot, input);
export function handle(input) {
  return go({ state: Object });
}
