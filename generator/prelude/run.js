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
