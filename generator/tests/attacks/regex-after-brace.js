// rule: slash
export function handle(input) {
  if (input) {} /1/g;
  return null;
}
