// rule: url
export function handle(input) {
  return { url: 'HTTPS://EVIL.EXAMPLE.NET/' };
}
