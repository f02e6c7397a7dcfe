// rule: global
export function handle(input) {
  return Promise.resolve(1);
}
