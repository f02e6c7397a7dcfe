// rule: construct
import x from './x.json' with { type: 'json' };
export function handle(input) {
  return null;
}
