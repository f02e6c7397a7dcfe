// Bot appointments, made by Botloom from its spec: change the spec, not this file.
// The tables say what the bot does; the SDK below them runs it. Nothing lasts but what it returns.

const texts = frozen({
  "de": {
    "ask_day": "Welcher Tag?",
    "ask_people": "Wie viele Personen?",
    "bad_day": "Montag oder Freitag, bitte.",
    "booked": "Bestellt für {{state.booking.by.name}}: {{state.booking.day}}, {{state.history.1}} Personen.",
    "confirm": "{{state.people}} Personen, stimmt das?",
    "dropped": "Nichts wurde bestellt.",
    "friday": "Freitag",
    "hi": "Mit /book einen Tisch bestellen.",
    "monday": "Montag",
    "no": "Nein",
    "yes": "Ja",
  },
  "en": {
    "ask_day": "Which day?",
    "ask_people": "How many people?",
    "bad_day": "Monday or Friday, please.",
    "booked": "Booked for {{state.booking.by.name}}: {{state.booking.day}}, {{state.history.1}} people.",
    "confirm": "{{state.people}} people, is that right?",
    "dropped": "Nothing was booked.",
    "friday": "Friday",
    "hi": "Book a table with /book.",
    "monday": "Monday",
    "no": "No",
    "yes": "Yes",
  },
  "ru": {
    "ask_day": "Какой день?",
    "ask_people": "Сколько человек?",
    "bad_day": "Понедельник или пятница, пожалуйста.",
    "booked": "Заказано для {{state.booking.by.name}}: {{state.booking.day}}, человек: {{state.history.1}}.",
    "confirm": "Человек: {{state.people}}, верно?",
    "dropped": "Ничего не заказано.",
    "friday": "Пятница",
    "hi": "Закажите стол командой /book.",
    "monday": "Понедельник",
    "no": "Нет",
    "yes": "Да",
  },
});

const keys = frozen({
  "booking": { type: "object", ttlSec: 3600, maxBytes: 1024 },
  "day": { type: "string", ttlSec: 60 },
  "history": { type: "array", ttlSec: 3600, default: [] },
  "people": { type: "number", ttlSec: 3600 },
  "sure": { type: "boolean", ttlSec: 3600 },
});

const commands = frozen({ "start": "hello", "help": "hello", "book": "book" });

const intents = frozen(prepared([]));

const flows = frozen({
  // flow hello
  "hello": {
    start: "hi",
    steps: {
      "hi": { kind: "reply", text: { key: "hi" } },
    },
  },
  // flow book
  "book": {
    start: "ask_day",
    steps: {
      "ask_day": {
        kind: "ask",
        text: { key: "ask_day" },
        buttons: [{ text: { key: "monday" }, value: "mon" }, { text: { key: "friday" }, value: "fri" }],
        next: "check_day",
      },
      "check_day": {
        kind: "validate",
        schema: { "enum": ["mon", "fri"] },
        ask: "ask_day",
        onFail: { text: { key: "bad_day" }, maxAttempts: 2, goto: "dropped" },
        next: "save_day",
      },
      "save_day": {
        kind: "save",
        key: "day",
        value: "{{context.input}}",
        ask: "ask_day",
        check: "check_day",
        next: "ask_people",
      },
      "ask_people": { kind: "ask", text: { key: "ask_people" }, next: "save_people" },
      "save_people": {
        kind: "save",
        key: "people",
        value: "{{context.input}}",
        ask: "ask_people",
        next: "confirm",
      },
      "confirm": {
        kind: "ask",
        text: { key: "confirm" },
        buttons: [{ text: { key: "yes" }, value: "true" }, { text: { key: "no" }, value: "false" }],
        next: "save_sure",
      },
      "save_sure": { kind: "save", key: "sure", value: "{{context.input}}", ask: "confirm", next: "sure" },
      "sure": {
        kind: "goto",
        when: { path: "state.sure", op: "eq", value: true },
        step: "booking",
        elseNext: "dropped",
        next: "booking",
      },
      "booking": {
        kind: "save",
        key: "booking",
        value: {
          "day": "{{state.day}}",
          "people": "{{state.people}}",
          "by": { "id": "{{context.user.id}}", "name": "{{context.user.firstName}}" },
          "confirmed": true,
        },
        ask: "confirm",
        next: "history",
      },
      "history": {
        kind: "save",
        key: "history",
        value: ["{{state.day}}", "{{state.people}}"],
        ask: "confirm",
        next: "booked",
      },
      "booked": { kind: "reply", text: { key: "booked" }, next: "end" },
      "end": { kind: "goto", flow: "hello", next: "dropped" },
      "dropped": { kind: "reply", text: { key: "dropped" } },
    },
  },
});

const bot = frozen({
  id: "appointments",
  name: "Appointments",
  locales: ["en", "de", "ru"],
  defaultLocale: "en",
  maxBytes: 16384,
  events: [],
  kinds: { ask, goto, reply, save, validate },
  texts,
  keys,
  commands,
  intents,
  flows,
});

export function handle(input) {
  return run(bot, input);
}

// --- sdk: run ---
// Steps that one update may run.
const TRANSITIONS = 200;
// Events that one call may report.
const EVENTS = 64;

// One call of the host: a message, or the answer to what the bot asked of the host.
function run(bot, { event, state, context, resume }) {
  if (event.type !== "message" || context.chat === null) return { state: state ?? null, actions: [], telemetry: [] };
  const { bot: telegram, ...around } = context;
  const now = Date.parse(context.now);
  const turn = {
    bot,
    now,
    doc: openState(state, now),
    context: {
      ...around,
      input: event.text,
      args: event.args,
      locale: localeFor(bot, context.user?.languageCode),
      bot: { id: bot.id, name: bot.name, username: telegram.username },
    },
    flow: undefined,
    step: undefined,
    failures: 0,
    transitions: 0,
    actions: [],
    telemetry: [],
  };
  if (resume === undefined) return advance(turn, arrive(turn, event));
  const { flow, step, transitions, failures, input, kept } = resume.cont;
  turn.flow = flow;
  turn.transitions = transitions;
  turn.failures = failures;
  turn.context.input = input;
  return advance(turn, step, resume, kept);
}

// Where a new message leads: the id of a step of `turn.flow`, or undefined.
function arrive(turn, event) {
  const { bot, doc } = turn;
  if (event.command !== null) {
    leave(turn);
    return start(turn, own(bot.commands, event.command));
  }
  const pressed = doc.k?.b.find((button) => button.t === event.text);
  if (pressed !== undefined) {
    turn.context.input = pressed.v ?? event.text;
    if (pressed.f !== undefined && own(bot.flows, pressed.f) !== undefined) {
      leave(turn);
      return start(turn, pressed.f);
    }
  }
  const waiting = doc.w;
  const step = waiting && own(own(bot.flows, waiting.f)?.steps ?? {}, waiting.s);
  if (step !== undefined && (step.kind === "ask" || step.kind === "validate")) {
    doc.w = undefined;
    turn.flow = waiting.f;
    turn.failures = waiting.n ?? 0;
    return step.kind === "validate" ? waiting.s : completed(turn, waiting.s);
  }
  leave(turn);
  const intent = intentFor(turn);
  if (intent === undefined) return undefined;
  note(turn, "intent_matched", { intent: intent.id, flow: intent.flow });
  return start(turn, intent.flow);
}

// Ends the waiting; the keyboard of its question goes with it.
function leave(turn) {
  turn.doc.w = undefined;
  if (turn.doc.k?.w !== undefined) turn.doc.k = undefined;
}

// Starts a flow, if the bot has one of this name, with its first step.
function start(turn, name) {
  if (name === undefined) return undefined;
  turn.flow = name;
  turn.failures = 0;
  note(turn, "flow_started", { flow: name });
  return enter(turn, name, undefined);
}

// Goes to a step of a flow, by default the first.
function enter(turn, flow, step) {
  turn.flow = flow;
  const id = step ?? turn.bot.flows[flow].start;
  if (id === undefined) note(turn, "flow_completed", { flow });
  return id;
}

// Goes on after a step that did its work.
function completed(turn, id) {
  const { kind, next } = stepOf(turn, id);
  note(turn, "step_completed", { flow: turn.flow, step: id, kind });
  if (next === undefined) note(turn, "flow_completed", { flow: turn.flow });
  return next;
}

// A step of the flow that runs.
function stepOf(turn, id) {
  return turn.bot.flows[turn.flow].steps[id];
}

// Runs step after step until the flow waits, ends, or needs something of the host.
function advance(turn, id, resume, kept) {
  let answer = resume;
  while (id !== undefined) {
    const step = stepOf(turn, id);
    turn.step = id;
    if (answer === undefined) turn.transitions += 1;
    if (turn.transitions > TRANSITIONS) throw Error("transition_limit: more than 200 steps for one message");
    const outcome = turn.bot.kinds[step.kind](turn, step, answer, kept);
    answer = undefined;
    if (outcome === undefined) {
      id = completed(turn, id);
    } else if (outcome.effect !== undefined) {
      return close(turn, { ...outcome.effect, cont: position(turn, outcome.kept) });
    } else if (outcome.wait !== undefined) {
      wait(turn, outcome.wait);
      return close(turn);
    } else if (outcome.end) {
      id = undefined;
    } else {
      if (step.kind === "goto") note(turn, "step_completed", { flow: turn.flow, step: id, kind: step.kind });
      id = enter(turn, outcome.flow ?? turn.flow, outcome.step);
    }
  }
  leave(turn);
  return close(turn);
}

// What the host gives back with its answer.
function position(turn, kept) {
  const { flow, step, transitions, failures, context } = turn;
  return { flow, step, transitions, failures, input: context.input, kept };
}

// Waits at a step for the next message. Of the keyboards of questions only that of this question stays.
function wait(turn, step) {
  const { doc, flow, failures } = turn;
  doc.w = { f: flow, s: step, n: failures > 0 ? failures : undefined };
  const asked = doc.k?.w;
  if (asked !== undefined && (asked[0] !== flow || asked[1] !== step)) doc.k = undefined;
}

// Records an event, if the bot wants it.
function note(turn, event, fields) {
  if (turn.telemetry.length < EVENTS && turn.bot.events.includes(event)) turn.telemetry.push({ event, ...fields });
}

// The answer to the host.
function close(turn, effect) {
  return { state: closeState(turn.doc), actions: turn.actions, effect, telemetry: turn.telemetry };
}

// --- sdk: steps/reply ---
// reply: sends and goes on.
function reply(turn, step) {
  send(turn, step);
}

// --- sdk: steps/ask ---
// ask: sends a question and waits for the answer.
function ask(turn) {
  turn.failures = 0;
  return question(turn, turn.step);
}

// --- sdk: steps/validate ---
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

// --- sdk: steps/save ---
// save: writes a state key. A value that does not fit counts as a failed answer to the question before.
function save(turn, step) {
  if (remember(turn, step.key, expand(turn, step.value, ""))) return undefined;
  if (step.check !== undefined) return refuse(turn, step.check);
  if (step.ask === undefined) return { end: true };
  turn.failures += 1;
  note(turn, "validation_failed", { flow: turn.flow, step: turn.step, attempt: turn.failures });
  return turn.failures < 3 ? question(turn, step.ask) : { end: true };
}

// --- sdk: steps/goto ---
// goto: jumps, where its condition holds or there is none. Patterns of the condition are the host's work.
function goto(turn, step, resume, kept = []) {
  const patterns = step.when === undefined ? [] : patternsIn(step.when);
  const matched = resume === undefined ? [] : [...kept, ...resume.results];
  if (matched.length < patterns.length) {
    const tests = patterns.slice(matched.length, matched.length + 16);
    const effect = { type: "match", tests: tests.map(({ path, value }) => ({ pattern: value, text: asText(read(turn, path)) })) };
    return { effect, kept: matched };
  }
  if (step.when === undefined || holds(turn, step.when, (test) => matched[patterns.indexOf(test)])) {
    return { flow: step.flow, step: step.step };
  }
  return step.elseNext === undefined ? undefined : { step: step.elseNext };
}

// The tests of a condition that need a pattern.
function patternsIn(when) {
  const parts = when.all ?? when.any ?? (when.not === undefined ? undefined : [when.not]);
  if (parts !== undefined) return parts.flatMap((part) => patternsIn(part));
  return when.op === "matches" ? [when] : [];
}

function holds(turn, when, matches) {
  if (when.all !== undefined) return when.all.every((part) => holds(turn, part, matches));
  if (when.any !== undefined) return when.any.some((part) => holds(turn, part, matches));
  if (when.not !== undefined) return !holds(turn, when.not, matches);
  const value = read(turn, when.path);
  if (when.op === "exists") return (value !== undefined) === (when.value !== false);
  if (value === undefined) return when.op === "ne";
  return when.op === "matches" ? matches(when) : compares(when.op, value, when.value);
}

function compares(op, left, right) {
  if (op === "eq") return equal(left, right);
  if (op === "ne") return !equal(left, right);
  if (op === "in") return Array.isArray(right) && right.some((item) => equal(left, item));
  if (op === "contains") {
    return Array.isArray(left) ? left.some((item) => equal(item, right)) : typeof left === "string" && left.includes(asText(right));
  }
  const order = ordered(left, right);
  if (op === "lt") return order < 0;
  if (op === "lte") return order <= 0;
  if (op === "gt") return order > 0;
  return order >= 0;
}

// Equal as JSON; a text against a number or boolean is read as one first.
function equal(left, right) {
  if (typeof left === "string" && typeof right !== "string") return sameScalar(left, right);
  if (typeof right === "string" && typeof left !== "string") return sameScalar(right, left);
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return left === right;
  const names = Object.keys(left);
  const alike = Array.isArray(left) === Array.isArray(right) && names.length === Object.keys(right).length;
  return alike && names.every((name) => Object.hasOwn(right, name) && equal(left[name], right[name]));
}

function sameScalar(text, value) {
  if (typeof value === "number") return numberIn(text) === value;
  return typeof value === "boolean" && booleanIn(text) === value;
}

// Below 0, 0 or above 0 as left stands to right; NaN if they have no order.
function ordered(left, right) {
  if (typeof left === "string" && typeof right === "string") return byCodePoints(left, right);
  const numbers = [left, right].map((side) => (typeof side === "string" ? numberIn(side) : side));
  return numbers.every((side) => typeof side === "number") ? numbers[0] - numbers[1] : NaN;
}

// Texts by code points: UTF-16 would put characters beyond U+FFFF before those from U+E000 on.
function byCodePoints(left, right) {
  let at = 0;
  while (at < left.length && left[at] === right[at]) at += 1;
  const rank = (text) => {
    const unit = at < text.length ? text.charCodeAt(at) : -1;
    return unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x10000 : unit;
  };
  return rank(left) - rank(right);
}

// --- sdk: intents ---
// The words of a text in one case, each between single spaces: " big pizza ".
function words(text) {
  const found = text.normalize("NFC").toUpperCase().toLowerCase().match(/[\p{L}\p{M}\p{N}_]+/gu);
  return found === null ? "" : " " + found.join(" ") + " ";
}

// Intents with their keywords as words, made once when the bot is loaded.
function prepared(intents) {
  const asWords = ([locale, list]) => [locale, list.map((keyword) => words(keyword)).filter((keyword) => keyword !== "")];
  return intents.map((intent) => ({ ...intent, keywords: Object.fromEntries(Object.entries(intent.keywords).map(asWords)) }));
}

// The first intent, by priority, that a message matches and that is not cooling down.
function intentFor(turn) {
  const { bot, context, doc, now } = turn;
  if (bot.intents.length === 0) return undefined;
  const text = words(context.input);
  const locales = [context.locale, bot.defaultLocale];
  const cooling = (intent) => now - (own(doc.c ?? {}, intent.id) ?? -Infinity) < (intent.cooldownSec ?? 0) * 1000;
  const occurs = (intent) => locales.some((locale) => (own(intent.keywords, locale) ?? []).some((word) => text.includes(word)));
  const intent = bot.intents.find((candidate) => occurs(candidate) && !cooling(candidate));
  if (intent === undefined) return undefined;
  const others = bot.intents.filter((other) => other.id !== intent.id && cooling(other)).map((other) => [other.id, doc.c[other.id]]);
  const started = intent.cooldownSec === undefined ? others : [...others, [intent.id, now]];
  doc.c = started.length > 0 ? Object.fromEntries(started) : undefined;
  return intent;
}

// --- sdk: send ---
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

// --- sdk: state ---
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

// --- sdk: text ---
// A value as people read it; no value is the empty text.
function asText(value) {
  if (value === undefined || value === null) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

// The value at a path such as `state.size` or `context.user.firstName`; undefined if there is none.
function read(turn, path) {
  const [root, first, ...rest] = path.split(".");
  let value = root === "state" ? recall(turn, first) : own(turn.context, first);
  for (const name of rest) value = member(value, name);
  return value === null ? undefined : value;
}

// Puts values in the place of {{path}}. What comes in is never read for placeholders again.
function fill(turn, template, show = asText) {
  let text = "";
  let from = 0;
  for (;;) {
    const open = template.indexOf("{{", from);
    const close = open < 0 ? -1 : template.indexOf("}}", open + 2);
    if (close < 0) return text + template.slice(from);
    text += template.slice(from, open) + show(read(turn, template.slice(open + 2, close).trim()));
    from = close + 2;
  }
}

// The path in a template that is one placeholder and nothing else.
function onlyPath(template) {
  const single = template.startsWith("{{") && template.indexOf("}}", 2) === template.length - 2;
  return single ? template.slice(2, -2).trim() : undefined;
}

// As `fill`, for addresses: a value cannot add a path segment, a parameter or a host.
function fillUrl(turn, template) {
  return fill(turn, template, (value) => encodeURIComponent(asText(value)));
}

// JSON whose strings are templates. A string that is one placeholder keeps the type of its value, or becomes `none`.
function expand(turn, value, none) {
  if (typeof value === "string") {
    const path = onlyPath(value);
    return path === undefined ? fill(turn, value) : (read(turn, path) ?? none);
  }
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((inner) => expand(turn, inner, none));
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, expand(turn, inner, none)]));
}

// The bot's language for a user's language tag: RFC 4647 lookup.
function localeFor(bot, tag) {
  let subtags = (tag ?? "").toLowerCase().split("-");
  while (subtags.length > 0) {
    const wanted = subtags.join("-");
    const found = bot.locales.find((locale) => locale.toLowerCase() === wanted);
    if (found !== undefined) return found;
    subtags = subtags.slice(0, subtags.length > 1 && subtags.at(-2).length === 1 ? -2 : -1);
  }
  return bot.defaultLocale;
}

// A text of the bot in the chat's language: `"Hello"` or `{key: "hello"}`.
function say(turn, text) {
  if (typeof text === "string") return fill(turn, text);
  const inLocale = (locale) => own(own(turn.bot.texts, locale) ?? {}, text.key);
  return fill(turn, inLocale(turn.context.locale) ?? inLocale(turn.bot.defaultLocale) ?? "");
}

// Parts a text after at most `limit` code points: between paragraphs, else lines, else words, else anywhere.
function cut(text, limit) {
  if (text.length <= limit) return [text, ""];
  let end = 0;
  for (let count = 0; count < limit && end < text.length; count += 1) end += text.codePointAt(end) > 0xffff ? 2 : 1;
  if (end === text.length) return [text, ""];
  for (const gap of ["\n\n", "\n", " "]) {
    const at = text.lastIndexOf(gap, end);
    if (at > 0 && text.slice(0, at).trim() !== "") return [text.slice(0, at), text.slice(at + gap.length)];
  }
  return [text.slice(0, end), text.slice(end)];
}

// --- sdk: core ---
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
