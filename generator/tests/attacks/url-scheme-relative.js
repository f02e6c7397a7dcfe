// rule: url
export function handle(input) {
  return { url: '//evil.example.net/' };
}
