// rule: identifier
export function handle(input) {
  const async = 1;
  return async;
}
