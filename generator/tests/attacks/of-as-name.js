// rule: identifier
export function handle(input) {
  const of = 1;
  return of;
}
