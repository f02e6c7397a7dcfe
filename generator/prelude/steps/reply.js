// reply: sends and goes on.
function reply(turn, step) {
  send(turn, step);
}
