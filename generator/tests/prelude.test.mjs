// The helpers of the SDK, one by one.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

const folder = new URL("../prelude/", import.meta.url);
const files = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".js"));
const source = files.map((name) => readFileSync(new URL(name, folder), "utf8")).join("\n");
const names = [...source.matchAll(/^function (\w+)\(/gm)].map((found) => found[1]);
const sdk = await import("data:text/javascript," + encodeURIComponent(`${source}\nexport { ${names.join(", ")} };`));

const bot = (more = {}) => ({ locales: ["en"], defaultLocale: "en", texts: {}, keys: {}, maxBytes: 65536, intents: [], events: [], ...more });
const turn = (values = {}, more = {}) => ({
  bot: bot(more.bot), now: 1000, doc: { v: values, x: {} }, actions: [], telemetry: [], failures: 0,
  context: { user: { firstName: "Ada", lastName: null }, input: "hi", locale: "en", ...more.context },
});

test("frozen: everything inside", () => {
  const table = sdk.frozen({ list: [{ a: 1 }], run: () => 1 });
  assert.throws(() => { table.list[0].a = 2; }, TypeError);
  assert.throws(() => { table.list.push(1); }, TypeError);
  assert.throws(() => { table.run.x = 1; }, TypeError);
  assert.equal(sdk.frozen(null), null);
});

test("own and member: nothing inherited", () => {
  assert.equal(sdk.own({ a: 1 }, "a"), 1);
  assert.equal(sdk.own({}, "constructor"), undefined);
  assert.equal(sdk.member([7, 8], "1"), 8);
  for (const name of ["length", "01", "-1", "map"]) assert.equal(sdk.member([7, 8], name), undefined, name);
  assert.equal(sdk.member("text", "0"), undefined);
  assert.equal(sdk.member(null, "a"), undefined);
});

test("fits: UTF-8 bytes", () => {
  for (const text of ["", "a".repeat(100), "é".repeat(50), "€".repeat(50), "🍕".repeat(50), "aé€🍕"]) {
    const bytes = Buffer.byteLength(text);
    assert.equal(sdk.fits(text, bytes), true, text);
    if (bytes > 0) assert.equal(sdk.fits(text, bytes - 1), false, text);
  }
});

test("asText: as people read it", () => {
  const cases = [["a", "a"], [40, "40"], [1.5, "1.5"], [true, "true"], [null, ""], [undefined, ""], [{ a: [1] }, '{"a":[1]}'], [[], "[]"]];
  for (const [value, text] of cases) assert.equal(sdk.asText(value), text);
});

test("fill: substitution only, once", () => {
  const t = turn({ a: "{{state.b}}", b: "B", n: 1.5, o: { list: [{ x: "deep" }] } });
  const cases = [
    ["", ""], ["plain", "plain"], ["{{state.b}}", "B"], ["<{{ state.b }}>", "<B>"], ["{{state.a}}", "{{state.b}}"],
    ["{{state.b}}{{state.n}}", "B1.5"], ["{{state.none}}", ""], ["{{context.user.firstName}} {{context.user.lastName}}!", "Ada !"],
    ["{{state.o.list.0.x}}", "deep"], ["{{state.o.list.length}}", ""], ["{{state.o.constructor}}", ""], ["{{state.o}}", '{"list":[{"x":"deep"}]}'],
    ["{{open", "{{open"], ["a }} b", "a }} b"], ["{{{state.b}}}", "}"], ["{{state.__proto__.x}}", ""], ["{{context.toString}}", ""],
  ];
  for (const [template, text] of cases) assert.equal(sdk.fill(t, template), text, template);
});

test("fillUrl: a value stays one component", () => {
  const t = turn({ q: "a/b?c=d&e#f@g h", o: "é" });
  assert.equal(sdk.fillUrl(t, "https://x.example/{{state.q}}?o={{state.o}}"), "https://x.example/a%2Fb%3Fc%3Dd%26e%23f%40g%20h?o=%C3%A9");
});

test("expand: a single placeholder keeps its type", () => {
  const t = turn({ size: 40, list: [1] });
  const body = { size: "{{state.size}}", text: " {{state.size}}", none: "{{state.none}}", deep: [{ list: "{{ state.list }}" }], n: 1, z: null };
  assert.deepEqual(sdk.expand(t, body, null), { size: 40, text: " 40", none: null, deep: [{ list: [1] }], n: 1, z: null });
  assert.equal(sdk.expand(t, "{{state.none}}", ""), "");
  assert.equal(sdk.expand(t, "{{state.size}}{{state.size}}", ""), "4040");
  const names = sdk.expand(t, JSON.parse('{"__proto__": "{{state.size}}"}'), null);
  assert.deepEqual(Object.keys(names), ["__proto__"]);
  assert.equal(JSON.stringify(names), '{"__proto__":40}');
});

test("localeFor: RFC 4647 lookup", () => {
  const b = bot({ locales: ["en", "pt-BR", "zh-Hant", "de"], defaultLocale: "de" });
  const cases = [
    ["en", "en"], ["EN-us", "en"], ["pt-br", "pt-BR"], ["pt", "de"], ["zh-Hant-TW", "zh-Hant"], ["zh-hant-x-private", "zh-Hant"],
    ["en-x-a-b", "en"], ["fr", "de"], ["", "de"], [null, "de"], [undefined, "de"], ["constructor", "de"], ["x", "de"],
  ];
  for (const [tag, locale] of cases) assert.equal(sdk.localeFor(b, tag), locale, String(tag));
});

test("say: the chat's language, then the default one", () => {
  const texts = { en: { hi: "Hi {{context.user.firstName}}", only: "en" }, ru: { hi: "Привет", empty: "" } };
  const t = turn({}, { bot: { texts }, context: { locale: "ru" } });
  const cases = [["literal {{context.input}}", "literal hi"], [{ key: "hi" }, "Привет"], [{ key: "only" }, "en"], [{ key: "empty" }, ""], [{ key: "none" }, ""], [{ key: "toString" }, ""]];
  for (const [text, said] of cases) assert.equal(sdk.say(t, text), said);
});

test("cut: paragraphs, then lines, then words, then anywhere", () => {
  const cases = [
    ["short", 10, "short", ""], ["aaaa\n\nbbbb\ncc dd", 13, "aaaa", "bbbb\ncc dd"], ["aaaa\nbbbb cccc", 11, "aaaa", "bbbb cccc"],
    ["aaaa bbbb", 6, "aaaa", "bbbb"], ["aaaa bbbb", 4, "aaaa", "bbbb"], ["aaaabbbb", 4, "aaaa", "bbbb"], ["  aaaabbbb", 6, "  aaaa", "bbbb"],
    ["🍕🍕🍕", 2, "🍕🍕", "🍕"], ["🍕🍕🍕", 3, "🍕🍕🍕", ""], ["🍕 🍕", 2, "🍕", "🍕"],
  ];
  for (const [text, limit, head, rest] of cases) assert.deepEqual(sdk.cut(text, limit), [head, rest], text);
  let rest = "word ".repeat(3000) + "x".repeat(5000) + "\n\n" + "🍕".repeat(5000);
  for (let turns = 0; rest !== ""; turns += 1) {
    const [head, more] = sdk.cut(rest, 4096);
    assert.ok([...head].length <= 4096 && head.isWellFormed() && more.length < rest.length && turns < 20);
    rest = more;
  }
});

test("convert: to the type of the key", () => {
  const cases = [
    ["string", "a", "a"], ["string", 40, "40"], ["string", { a: 1 }, '{"a":1}'], ["number", 40, 40], ["number", " -1.5e+3 ", -1500], ["number", "40", 40],
    ["number", "", undefined], ["number", "0x10", undefined], ["number", "1e999", undefined], ["number", "Infinity", undefined], ["number", "1,5", undefined],
    ["number", true, undefined], ["number", "١", undefined], ["boolean", " TRUE ", true], ["boolean", "false", false], ["boolean", false, false],
    ["boolean", "yes", undefined], ["boolean", 1, undefined], ["object", '{"a":1}', { a: 1 }], ["object", { a: 1 }, { a: 1 }], ["object", "[1]", undefined],
    ["object", "null", undefined], ["object", "{", undefined], ["object", 1, undefined], ["array", "[1]", [1]], ["array", [1], [1]], ["array", "{}", undefined],
    ["array", "[1e999]", undefined], ["array", '["\\ud800"]', undefined], ["object", '{"\\udc00":1}', undefined], ["array", "[".repeat(3000), undefined],
    ["array", "[".repeat(30) + "]".repeat(30), undefined],
  ];
  for (const [type, value, wanted] of cases) assert.deepEqual(sdk.convert(type, value), wanted, `${type} ${JSON.stringify(value)}`);
  const own = sdk.convert("object", '{"__proto__":{"x":1}}');
  assert.equal(Object.getPrototypeOf(own), Object.prototype);
});

test("remember: limits, time to live, all or nothing", () => {
  const keys = { s: { type: "string", maxBytes: 4 }, n: { type: "number", ttlSec: 60 }, big: { type: "string" }, toString: { type: "string" } };
  const t = turn({}, { bot: { keys, maxBytes: 100 } });
  assert.equal(sdk.remember(t, "s", "🍕"), true);
  assert.equal(sdk.remember(t, "s", "🍕x"), false);
  assert.equal(sdk.remember(t, "n", "x"), false);
  assert.equal(sdk.remember(t, "n", "5"), true);
  assert.equal(sdk.remember(t, "big", "x".repeat(200)), false);
  assert.equal(sdk.remember(t, "toString", "own"), true);
  assert.deepEqual(t.doc, { v: { s: "🍕", n: 5, toString: "own" }, x: { n: 61000 } });
  const large = turn({}, { bot: { keys: { a: { type: "string" } } } });
  assert.equal(sdk.remember(large, "a", "x".repeat(65000)), false);
  assert.equal(sdk.remember(large, "a", "x".repeat(60000)), true);
});

test("openState and closeState: what has expired is gone, nothing is null", () => {
  const doc = sdk.openState({ v: { a: 1, b: 2 }, x: { a: 1000, b: 1001 } }, 1000);
  assert.deepEqual(doc, { v: { b: 2 }, x: { b: 1001 } });
  assert.deepEqual(sdk.openState(null, 0), { v: {}, x: {} });
  assert.equal(sdk.closeState({ v: {}, x: {}, w: undefined }), null);
  assert.notEqual(sdk.closeState({ v: {}, x: {}, w: { f: "a", s: "b" } }), null);
  const large = { v: { a: "x".repeat(60000) }, x: {}, k: { b: [{ t: "x".repeat(6000) }] } };
  assert.equal(sdk.closeState(large).k, undefined);
});

test("words and intentFor: whole words in one case", () => {
  assert.equal(sdk.words("Big  PIZZA, please!"), " big pizza please ");
  assert.equal(sdk.words("... 🍕"), "");
  assert.equal(sdk.words("Straße STRASSE"), " strasse strasse ");
  assert.equal(sdk.words("cafe\u0301 CAFÉ"), " café café ");
  assert.equal(sdk.words("snake_case 42 हिन्दी"), " snake_case 42 हिन्दी ");
  const intents = sdk.prepared([
    { id: "a", flow: "fa", cooldownSec: 5, keywords: { en: ["pizza", "!!!"], ru: ["пицца"] } },
    { id: "b", flow: "fb", keywords: { en: ["big pizza"] } },
  ]);
  const at = (input, locale = "en", c = undefined, now = 1000) => {
    const t = { ...turn({}, { bot: { intents }, context: { input, locale } }), now };
    t.doc.c = c;
    return [sdk.intentFor(t)?.id, t.doc.c];
  };
  assert.deepEqual(at("PIZZA?"), ["a", { a: 1000 }]);
  assert.deepEqual(at("pizzas"), [undefined, undefined]);
  assert.deepEqual(at("!!!"), [undefined, undefined]);
  assert.deepEqual(at("Пицца", "ru"), ["a", { a: 1000 }]);
  assert.deepEqual(at("пицца", "en"), [undefined, undefined]);
  assert.deepEqual(at("pizza", "ru"), ["a", { a: 1000 }]);
  assert.deepEqual(at("a big pizza", "en", { a: 1000 }, 5999), ["b", { a: 1000 }]);
  assert.deepEqual(at("a big pizza", "en", { a: 1000 }, 6000), ["a", { a: 6000 }]);
  assert.deepEqual(at("pizza", "en", { a: 1000, gone: 1 }, 7000), ["a", { a: 7000 }]);
});

test("find: JSON Pointer", () => {
  const doc = { a: [{ "x/y": 1, "~": 2, "": 3 }], length: 4 };
  const cases = [["", doc], ["/a/0/x~1y", 1], ["/a/0/~0", 2], ["/a/0/", 3], ["/length", 4], ["/a/length", undefined], ["/a/-", undefined], ["/a/00", undefined], ["/constructor", undefined], ["/b/c", undefined]];
  for (const [pointer, value] of cases) assert.deepEqual(sdk.find(doc, pointer), value, pointer);
  assert.equal(sdk.find(undefined, "/a"), undefined);
});

test("holds: conditions", () => {
  const t = turn({ n: 18, s: "18", w: "word", b: true, list: [1, "two", { x: 1 }], o: { x: 1, y: [1.0] } });
  const test = (path, op, value) => sdk.holds(t, { path: "state." + path, op, value }, () => true);
  const yes = [
    ["n", "eq", 18], ["n", "eq", "18"], ["s", "eq", 18], ["b", "eq", "TRUE"], ["o", "eq", { y: [1], x: 1 }], ["w", "ne", "other"], ["none", "ne", 1],
    ["n", "lt", 19], ["n", "lte", 18], ["n", "gt", "17.5"], ["s", "gte", 18], ["w", "lt", "x"], ["w", "gt", "Word"], ["n", "in", [1, "18"]], ["w", "contains", "or"],
    ["list", "contains", { x: 1 }], ["list", "contains", "1"], ["s", "contains", 8], ["n", "exists"], ["none", "exists", false], ["list.1", "eq", "two"], ["w", "matches", "x"],
  ];
  const no = [
    ["n", "eq", 19], ["s", "eq", " 19"], ["w", "eq", 1], ["b", "eq", 1], ["list", "eq", [1, "two"]], ["o", "eq", { x: 1 }], ["none", "eq", null], ["none", "lt", 1],
    ["n", "lt", 18], ["w", "lt", 1], ["b", "gt", 0], ["list", "lt", 1], ["n", "in", []], ["n", "in", 18], ["n", "contains", 1], ["w", "contains", "OR"], ["none", "exists"],
    ["n", "exists", false], ["none", "matches", ""], ["o", "contains", "x"],
  ];
  for (const [path, op, value] of yes) assert.equal(test(path, op, value), true, `${path} ${op} ${JSON.stringify(value)}`);
  for (const [path, op, value] of no) assert.equal(test(path, op, value), false, `${path} ${op} ${JSON.stringify(value)}`);
  const n = { path: "state.n", op: "exists" };
  const none = { path: "state.none", op: "exists" };
  const joined = [[{ all: [] }, true], [{ any: [] }, false], [{ all: [n, none] }, false], [{ any: [n, none] }, true], [{ not: none }, true], [{ not: { all: [n] } }, false]];
  for (const [when, wanted] of joined) assert.equal(sdk.holds(t, when, () => false), wanted, JSON.stringify(when));
});

test("byCodePoints: not by UTF-16 units", () => {
  const ordered = ["", "a", "aa", "b", "\u{ffff}", "\u{10000}", "\u{1f355}"];
  for (let i = 0; i < ordered.length; i += 1) {
    for (let j = 0; j < ordered.length; j += 1) assert.equal(Math.sign(sdk.byCodePoints(ordered[i], ordered[j])), Math.sign(i - j), `${i} ${j}`);
  }
});
