// rule: global
export function handle(input) {
  return Reflect.ownKeys(input);
}
