// rule: html
export function handle(input) {
  return '<!--';
}
