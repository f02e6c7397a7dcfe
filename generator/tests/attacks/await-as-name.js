// rule: syntax
export function handle(input) {
  const await = 1;
  return await;
}
