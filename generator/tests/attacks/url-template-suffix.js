// rule: url
export function handle(input) {
  return { url: 'https://api.example.org{{state.host}}/' };
}
