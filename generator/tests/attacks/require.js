// rule: global
export function handle(input) {
  return require('fs');
}
