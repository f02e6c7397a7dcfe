// rule: global
export function handle(input) {
  return fetch('https://api.example.org/');
}
