// Bytes of the document that is stored for a chat, and its deepest value.
const STATE_BYTES = 65536;
const VALUE_DEPTH = 24;

// The chat's document without what has expired:
// v values, x when they expire, w where the bot waits, k the live keyboard, c when intents began to cool down.
function openState(state, now) {
  const doc = { v: {}, x: {}, ...state };
  const gone = Object.keys(doc.x).filter((key) => doc.x[key] <= now);
  if (gone.length > 0) {
    doc.v = without(doc.v, gone);
    doc.x = without(doc.x, gone);
  }
  return doc;
}

// The document to store, or null when nothing is left. A keyboard is forgotten before the document grows too large.
function closeState(doc) {
  if (doc.k !== undefined && !fits(JSON.stringify(doc), STATE_BYTES)) doc.k = undefined;
  const empty = Object.keys(doc.v).length === 0 && [doc.w, doc.k, doc.c].every((part) => part === undefined);
  return empty ? null : doc;
}

// The value of a state key, or its default.
function recall(turn, key) {
  return own(turn.doc.v, key) ?? own(turn.bot.keys, key)?.default;
}

// Writes a state key. False: the value does not convert or is too large, and nothing was written.
function remember(turn, key, value) {
  const rule = own(turn.bot.keys, key);
  const converted = convert(rule.type, value);
  if (converted === undefined) return false;
  const size = typeof converted === "string" ? converted : JSON.stringify(converted);
  if (rule.maxBytes !== undefined && !fits(size, rule.maxBytes)) return false;
  const v = { ...turn.doc.v, [key]: converted };
  if (!fits(JSON.stringify(v), turn.bot.maxBytes)) return false;
  const x = rule.ttlSec === undefined ? without(turn.doc.x, [key]) : { ...turn.doc.x, [key]: turn.now + rule.ttlSec * 1000 };
  // Room for where the bot waits and for cooldowns.
  if (!fits(JSON.stringify({ v, x }), STATE_BYTES - 2048)) return false;
  turn.doc.v = v;
  turn.doc.x = x;
  return true;
}

function forget(turn, key) {
  turn.doc.v = without(turn.doc.v, [key]);
  turn.doc.x = without(turn.doc.x, [key]);
}

// A value in a type, or undefined if it is none of it.
function convert(type, value) {
  if (type === "string") return asText(value);
  if (type === "number") return typeof value === "string" ? numberIn(value) : typeof value === "number" ? value : undefined;
  if (type === "boolean") return typeof value === "string" ? booleanIn(value) : typeof value === "boolean" ? value : undefined;
  try {
    const found = typeof value === "string" ? JSON.parse(value) : value;
    const fitting = typeof found === "object" && found !== null && Array.isArray(found) === (type === "array");
    return fitting && sound(found, VALUE_DEPTH) ? found : undefined;
  } catch (error) {
    return undefined;
  }
}

// The number a text reads as, or undefined.
function numberIn(text) {
  const trimmed = text.trim();
  const number = /^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$/.test(trimmed) ? Number(trimmed) : NaN;
  return Number.isFinite(number) ? number : undefined;
}

// The boolean a text reads as, or undefined.
function booleanIn(text) {
  const word = text.trim().toLowerCase();
  return word === "true" ? true : word === "false" ? false : undefined;
}

// Whether JSON can be stored: not too deep, no numbers beyond doubles, no halves of characters.
function sound(value, depth) {
  if (typeof value === "string") return value.isWellFormed();
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object" || value === null) return true;
  return depth > 0 && Object.entries(value).every(([name, inner]) => name.isWellFormed() && sound(inner, depth - 1));
}
