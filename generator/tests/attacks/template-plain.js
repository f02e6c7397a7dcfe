// rule: template
export function handle(input) {
  return `x`;
}
