// ask: sends a question and waits for the answer.
function ask(turn) {
  turn.failures = 0;
  return question(turn, turn.step);
}
