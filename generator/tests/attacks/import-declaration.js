// rule: construct
import x from 'x';
export function handle(input) {
  return null;
}
