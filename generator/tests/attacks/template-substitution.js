// rule: template
export function handle(input) {
  return `${input}`;
}
