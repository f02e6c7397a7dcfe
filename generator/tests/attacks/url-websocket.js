// rule: url
export function handle(input) {
  return { url: 'wss://api.example.org/' };
}
