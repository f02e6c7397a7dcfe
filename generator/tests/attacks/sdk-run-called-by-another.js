// rule: sdk
// with the sdk
const bot = frozen({});
function go(input) {
  return run(bot, input);
}
export function handle(input) {
  return go({ state: Object });
}
