// rule: member-name
export function handle(input) {
  return (1).constructor;
}
