// rule: identifier
export function handle(input) {
  return gl\u006fbalThis;
}
