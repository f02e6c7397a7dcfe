// rule: construct
export function handle(input) {
  delete globalThis.Object;
  return null;
}
