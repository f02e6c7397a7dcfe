// rule: construct
@input
class A {}
export function handle(input) {
  return null;
}
