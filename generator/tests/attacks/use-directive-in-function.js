// rule: construct
export function handle(input) {
  'use strict';
  return null;
}
