// rule: construct
import 'x';
export function handle(input) {
  return null;
}
