// rule: global
export function handle(input) {
  return SharedArrayBuffer;
}
