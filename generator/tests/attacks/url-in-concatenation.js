// rule: url
export function handle(input) {
  return { url: 'https://' + input.event.text };
}
