// rule: construct
export function handle(input) {
  class A {
    static {
      input.x = 1;
    }
  }
  return null;
}
