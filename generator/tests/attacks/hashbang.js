#!/usr/bin/env node
// rule: construct
export function handle(input) {
  return null;
}
