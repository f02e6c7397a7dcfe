// rule: construct
export function handle(input) {
  for (let i = 0; i < 3; i += 1) {
    again: for (let j = 0; j < 3; j += 1) {
      continue again;
    }
  }
  return null;
}
