// rule: construct
export function handle(input) {
  try {
    return 1;
  } catch {
    return 2;
  }
}
