// rule: global
export function handle(input) {
  const run = eval;
  return run(input.event.text);
}
