// rule: template
export function handle(input) {
  return String.raw`x`;
}
