// rule: character
export function handle(input) {
  return '\ud800';
}
