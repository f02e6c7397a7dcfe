// rule: sdk
// with the sdk
const bot = frozen({ kinds: { own } });
export function handle(input) {
  return bot.kinds.own(Object, "getPrototypeOf");
}
