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
