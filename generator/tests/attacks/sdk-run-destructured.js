// rule: sdk
// with the sdk
const bot = frozen({});
export function handle({ state }) {
  return run(bot, state);
}
