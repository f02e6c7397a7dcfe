// rule: construct
export async function handle(input) {
  return null;
}
