// rule: member-name
export function handle(input) {
  return { then: (done) => done(1) };
}
