// rule: url
export function handle(input) {
  return { url: 'https://evil.example.net\\@api.example.org/' };
}
