// rule: member-name
export function handle(input) {
  return (async function* () {}).constructor(input.event.text)();
}
