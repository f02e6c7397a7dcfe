// rule: export
// with the sdk
const bot = frozen({});
const reach = () => handle({ state: { v: Object } });
export function handle(input) {
  return run(bot, input);
}
