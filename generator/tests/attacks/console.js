// rule: global
export function handle(input) {
  console.log(input);
  return null;
}
