// rule: global
export function handle(input) {
  return Uint8Array;
}
