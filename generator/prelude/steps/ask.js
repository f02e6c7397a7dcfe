// ask: sends a question and waits for the answer.
function ask(turn, step) {
  turn.failures = 0;
  return question(turn, step);
}
