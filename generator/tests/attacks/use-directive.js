// rule: construct
'use asm';
export function handle(input) {
  return null;
}
