// rule: construct
export function handle(input) {
  try {
    return 1;
  } catch (error) {
    return 2;
  }
}
