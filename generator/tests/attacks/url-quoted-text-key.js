// rule: url
export function handle(input) {
  return { 'text': { url: 'https://evil.example.net/' } };
}
