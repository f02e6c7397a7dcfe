// rule: member-name
export function handle(input) {
  return Object.getPrototypeOf(() => {}).constructor;
}
