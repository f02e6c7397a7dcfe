// rule: export
function handle(input) {
  return null;
}
