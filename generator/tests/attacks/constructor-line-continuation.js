// rule: syntax
export function handle(input) {
  return input['con\
  structor'];
}
