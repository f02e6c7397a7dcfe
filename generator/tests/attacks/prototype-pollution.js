// rule: member-name
export function handle(input) {
  Object.prototype.polluted = true;
  return null;
}
