// rule: url
export function handle(input) {
  return { url: 'https://{{state.host}}/' };
}
