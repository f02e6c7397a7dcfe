// rule: syntax
// with the sdk
function own(table, name) {
  return table;
}
export function handle(input) {
  return null;
}
