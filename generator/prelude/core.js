// Freezes a table and everything in it: what a bot is never changes between two messages.
function frozen(value) {
  if ((typeof value === "object" || typeof value === "function") && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach((inner) => frozen(inner));
  }
  return value;
}

// The entry of a table, never what the table inherits.
function own(table, name) {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

// A member of a JSON object or array; undefined if there is none.
function member(value, name) {
  if (typeof value !== "object" || value === null) return undefined;
  if (Array.isArray(value) && !/^(0|[1-9][0-9]*)$/.test(name)) return undefined;
  return own(value, name);
}

// A copy without some entries.
function without(table, names) {
  return Object.fromEntries(Object.entries(table).filter(([name]) => !names.includes(name)));
}

// Whether a text has at most `limit` UTF-8 bytes.
function fits(text, limit) {
  if (text.length * 3 <= limit) return true;
  let bytes = text.length;
  for (let at = 0; at < text.length && bytes <= limit; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit > 0x7f) bytes += 1;
    if (unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff)) bytes += 1;
  }
  return bytes <= limit;
}
