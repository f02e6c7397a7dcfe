// rule: slash
export function handle(input) {
  return <a>b</a>;
}
