// apiCall: asks the host for a request, then takes from the answer what the bot wants to remember.
function apiCall(turn, step, resume) {
  if (resume === undefined) return { effect: request(turn, step) };
  const where = { flow: turn.flow, step: turn.step };
  if (resume.ok && learn(turn, step.map, resume.body)) {
    note(turn, "api_ok", { ...where, status: resume.status });
    return undefined;
  }
  note(turn, "api_error", { ...where, error: resume.ok ? "map" : resume.error, status: resume.status });
  return step.onError === undefined ? { end: true } : { step: step.onError };
}

function request(turn, step) {
  const each = (table, show) => Object.fromEntries(Object.entries(table).map(([name, value]) => [name, show(value)]));
  return {
    type: "apiCall",
    method: step.method,
    url: fillUrl(turn, step.url),
    headers: each(step.headers, (value) => fill(turn, value).replace(/[\r\n]+/g, " ")),
    query: each(step.query, (value) => fill(turn, asText(value))),
    body: step.body === undefined ? undefined : expand(turn, step.body, null),
    timeoutMs: step.timeoutMs,
    retries: step.retries,
    backoff: step.backoff,
  };
}

// Writes what the JSON Pointers find, all of it or nothing; finding nothing deletes the key.
function learn(turn, map, body) {
  const { v, x } = turn.doc;
  for (const [key, pointer] of Object.entries(map)) {
    const value = find(body, pointer);
    if (value === undefined || value === null) {
      forget(turn, key);
    } else if (!remember(turn, key, value)) {
      turn.doc.v = v;
      turn.doc.x = x;
      return false;
    }
  }
  return true;
}

// The value at a JSON Pointer (RFC 6901).
function find(document, pointer) {
  const names = pointer.split("/").slice(1);
  return names.reduce((value, name) => member(value, name.replaceAll("~1", "/").replaceAll("~0", "~")), document);
}
