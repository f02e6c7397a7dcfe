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
