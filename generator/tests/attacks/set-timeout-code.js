// rule: global
export function handle(input) {
  setTimeout('code');
  return null;
}
