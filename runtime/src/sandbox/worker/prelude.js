// Runs once in every new engine, before bot code. Takes away what the README does not publish, puts the event's
// clock and random numbers in place, and freezes everything that bot code can reach.
(globals) => {
  'use strict';
  const { defineProperty, freeze, getOwnPropertyDescriptor, getOwnPropertyNames, getOwnPropertySymbols, getPrototypeOf,
    isExtensible } = Object;
  const { construct } = Reflect;
  const samples = [
    function* () {}, async function () {}, async function* () {}, (function* () {})(), (async function* () {})(),
    [].values(), [].values().map((x) => x), Iterator.from({ next() {} }), new Map().values(), new Set().values(),
    ''[Symbol.iterator](), /a/[Symbol.matchAll](''), (function () { return arguments; })(),
  ];

  const constant = (object, key, value) =>
    defineProperty(object, key, { value, writable: false, enumerable: false, configurable: false });

  const keep = new Set(globals);
  for (const name of getOwnPropertyNames(globalThis)) if (!keep.has(name)) delete globalThis[name];

  // All four constructors that compile text hang on a prototype of functions.
  const refuse = function Function() {
    throw new TypeError('code cannot be made from text');
  };
  for (const sample of [refuse, samples[0], samples[1], samples[2]]) constant(getPrototypeOf(sample), 'constructor', refuse);

  // These accessors keep what is set in the engine, where freezing does not reach.
  delete Error.prepareStackTrace;
  delete Error.stackTraceLimit;
  delete Error.captureStackTrace;

  let now = 0;
  const RealDate = Date;
  const { parse, UTC } = RealDate;
  function ClockDate(...args) {
    if (new.target === undefined) return new RealDate(now).toString();
    return construct(RealDate, args.length === 0 ? [now] : args, new.target);
  }
  constant(ClockDate, 'name', 'Date');
  constant(ClockDate, 'length', 7);
  constant(ClockDate, 'now', { now() { return now; } }.now);
  constant(ClockDate, 'parse', parse);
  constant(ClockDate, 'UTC', UTC);
  constant(ClockDate, 'prototype', RealDate.prototype);
  constant(RealDate.prototype, 'constructor', ClockDate);
  defineProperty(globalThis, 'Date', { value: ClockDate });

  // sfc32, seeded at the first use in a call.
  let seeded = false, low = 0, high = 0, a = 0, b = 0, c = 0, d = 0;
  const next = () => {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + t) | 0;
    return t >>> 0;
  };
  const random = {
    random() {
      if (!seeded) {
        seeded = true;
        a = 0x9e3779b9; b = low; c = high; d = 1;
        for (let i = 0; i < 12; i++) next();
      }
      return ((next() >>> 5) * 67108864 + (next() >>> 6)) / 9007199254740992;
    },
  }.random;
  defineProperty(Math, 'random', { value: random });

  const todo = [];
  const add = (value) => {
    if ((typeof value === 'function' || (typeof value === 'object' && value !== null)) && isExtensible(value)) {
      freeze(value);
      todo[todo.length] = value;
    }
  };
  const walk = (object, keys) => {
    for (let i = 0; i < keys.length; i++) {
      const property = getOwnPropertyDescriptor(object, keys[i]);
      add(property.value);
      add(property.get);
      add(property.set);
    }
  };
  const deepFreeze = (root) => {
    add(root);
    for (let i = 0; i < todo.length; i++) {
      const object = todo[i];
      add(getPrototypeOf(object));
      walk(object, getOwnPropertyNames(object));
      walk(object, getOwnPropertySymbols(object));
    }
    todo.length = 0;
  };
  deepFreeze(globalThis);
  for (const sample of samples) deepFreeze(sample);
  deepFreeze(getOwnPropertyDescriptor(samples[12], 'callee').get);

  return {
    deepFreeze,
    begin: (time, seedLow, seedHigh) => { now = time; low = seedLow; high = seedHigh; seeded = false; },
  };
}
