// rule: sdk
// with the sdk
export function handle(input) {
  const prototypeOf = own(Object, "getPrototypeOf");
  return own(prototypeOf(() => 1), "con" + "structor")("return 1")();
}
