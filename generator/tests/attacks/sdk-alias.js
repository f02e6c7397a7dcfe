// rule: sdk
// with the sdk
const reach = own;
export function handle(input) {
  return reach(Object, "getPrototypeOf");
}
