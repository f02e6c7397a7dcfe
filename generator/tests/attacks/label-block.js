// rule: construct
export function handle(input) {
  out: {
    break out;
  }
  return null;
}
