// rule: url
export function handle(input) {
  return { url: '\x68ttps://evil.example.net/' };
}
