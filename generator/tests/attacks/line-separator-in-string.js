// rule: character
export function handle(input) {
  return 'a b';
}
