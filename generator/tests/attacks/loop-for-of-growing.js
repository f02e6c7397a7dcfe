// rule: loop
export function handle(input) {
  const list = [1];
  for (const x of list) list.push(x);
  return null;
}
