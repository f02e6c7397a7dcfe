// rule: url
export function handle(input) {
  return { url: 'http://api.example.org/' };
}
