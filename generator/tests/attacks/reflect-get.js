// rule: global
export function handle(input) {
  return Reflect.get(input, 'constructor');
}
