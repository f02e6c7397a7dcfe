// rule: member-name
export function handle(input) {
  return input['\u0063onstructor'];
}
