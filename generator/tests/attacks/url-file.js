// rule: url
export function handle(input) {
  return { url: 'file:///etc/passwd' };
}
