// rule: syntax
/* export function handle(input) {
  return null;
}
