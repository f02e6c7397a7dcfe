// rule: member-name
export function handle(input) {
  return { valueOf: input.event };
}
