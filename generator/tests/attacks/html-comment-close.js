// rule: html
--> nothing
export function handle(input) {
  return null;
}
