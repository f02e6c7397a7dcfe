// rule: url
export function handle(input) {
  return { url: 'https://[::1]/' };
}
