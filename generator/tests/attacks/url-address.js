// rule: url
export function handle(input) {
  return { url: 'https://169.254.169.254/latest' };
}
