// rule: character
export function handle(input) {
  return 'user‮ ⁦// admin⁩ ⁦';
}
