// validate: tests the answer; patterns and schemas are the host's work.
function validate(turn, step, resume) {
  if (resume === undefined) {
    const text = turn.context.input;
    const test = step.regex === undefined ? { schema: step.schema, text } : { pattern: step.regex, text };
    return { effect: { type: "match", tests: [test] } };
  }
  if (!resume.results[0]) return refuse(turn, turn.step);
  if (step.ask === undefined) turn.failures = 0;
  return undefined;
}
