// rule: syntax
export function handle(input) {
