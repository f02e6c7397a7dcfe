// rule: sdk
// with the sdk
const bot = frozen({ flows: {} });
export function handle(input) {
  return run(bot, { event: input.event, context: input.context, state: { v: Object } });
}
