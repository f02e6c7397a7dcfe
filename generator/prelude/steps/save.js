// save: writes a state key. A value that does not fit counts as a failed answer to the question before.
function save(turn, step) {
  if (remember(turn, step.key, expand(turn, step.value, ""))) return undefined;
  if (step.check !== undefined) return refuse(turn, step.check);
  if (step.ask === undefined) return { end: true };
  turn.failures += 1;
  note(turn, "validation_failed", { flow: turn.flow, step: turn.step, attempt: turn.failures });
  return turn.failures < 3 ? question(turn, step.ask) : { end: true };
}
