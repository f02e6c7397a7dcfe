// rule: character
export function handle(input) {
  // a return eval(1);
  return null;
}
