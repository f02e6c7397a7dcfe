// rule: sdk
const x = 1;
export function handle(input) {
  return null;
}

// --- sdk: core ---
function own(table, name) {
  return table[name];
}
