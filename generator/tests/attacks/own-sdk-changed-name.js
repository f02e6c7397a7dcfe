// rule: sdk
export function handle(input) {
  return null;
}

// --- sdk: mine ---
function spin() {
  for (;;) {}
}
