// rule: member-name
export function handle(input) {
  return (function* () {}).constructor(input.event.text)();
}
