// rule: export
export * from 'x';
export function handle(input) {
  return null;
}
