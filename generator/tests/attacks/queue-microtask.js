// rule: global
export function handle(input) {
  queueMicrotask(() => 1);
  return null;
}
