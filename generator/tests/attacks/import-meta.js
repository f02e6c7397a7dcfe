// rule: construct
export function handle(input) {
  return import.meta;
}
