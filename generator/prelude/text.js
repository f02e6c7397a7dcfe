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
