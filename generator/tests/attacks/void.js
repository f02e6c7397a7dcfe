// rule: construct
export function handle(input) {
  return void 0;
}
