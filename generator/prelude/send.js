// Sends the text of a step (or its file, with the text as caption), in pieces where it is too long. Buttons stand under
// the last piece and become the chat's live keyboard.
function send(turn, step) {
  const messages = [];
  let rest = say(turn, step.text);
  if (step.media !== undefined) {
    const { method, field, url, fileId } = step.media;
    const [caption, more] = rest.trim() === "" ? ["", ""] : cut(rest, 1024);
    // Telegram fetches the file, so a whole address may come from a value.
    const file = url !== undefined && onlyPath(url) === undefined ? fillUrl(turn, url) : fill(turn, url ?? fileId);
    const params = { [field]: file };
    messages.push({ method, params: caption === "" ? params : { ...params, caption } });
    rest = more;
  }
  while (rest.trim() !== "") {
    const [text, more] = cut(rest, 4096);
    if (text.trim() !== "") messages.push({ method: "sendMessage", params: { text } });
    rest = more;
  }
  const buttons = (step.buttons ?? []).map((button) => ({ ...button, text: say(turn, button.text) }));
  const shown = messages.length > 0 ? buttons.filter((button) => button.text.trim() !== "") : [];
  if (shown.length > 0) {
    const keyboard = shown.map((button) => [{ text: button.text }]);
    messages.at(-1).params.reply_markup = { keyboard, one_time_keyboard: true, resize_keyboard: true };
    turn.doc.k = { b: shown.map((button) => ({ t: button.text, f: button.flow, v: button.value })) };
  }
  turn.actions.push(...messages);
}

// Sends the question of an `ask`; its keyboard replaces the live one and goes when the waiting ends.
function question(turn, id) {
  turn.doc.k = undefined;
  send(turn, stepOf(turn, id));
  if (turn.doc.k !== undefined) turn.doc.k.w = [turn.flow, id];
  return { wait: id };
}

// A failed answer, by the rules of a `validate`: says so and waits again, or leaves with the last attempt.
function refuse(turn, id) {
  const step = stepOf(turn, id);
  turn.failures += 1;
  note(turn, "validation_failed", { flow: turn.flow, step: id, attempt: turn.failures });
  const { text, maxAttempts, goto } = step.onFail;
  if (turn.failures >= maxAttempts) return goto === undefined ? { end: true } : { step: goto };
  send(turn, { text });
  return { wait: step.ask ?? id };
}
