// rule: construct
export function handle(input) {
  return import('x');
}
