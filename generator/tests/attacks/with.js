// rule: syntax
export function handle(input) {
  with (input) {
    return state;
  }
}
