// rule: member-name
export function handle(input) {
  return (async () => {}).constructor(input.event.text)();
}
