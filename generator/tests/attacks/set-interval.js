// rule: global
export function handle(input) {
  setInterval(() => 1, 1);
  return null;
}
