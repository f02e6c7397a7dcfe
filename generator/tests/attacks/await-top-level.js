// rule: construct
const x = await 1;
export function handle(input) {
  return null;
}
