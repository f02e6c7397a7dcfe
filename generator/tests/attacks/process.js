// rule: global
export function handle(input) {
  return process.env;
}
