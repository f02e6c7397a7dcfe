// rule: sdk
// with the sdk
export function handle(input) {
  return apiCall(input, input);
}
