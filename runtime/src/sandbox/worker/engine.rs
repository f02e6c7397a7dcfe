//! One QuickJS runtime with one revision in it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rquickjs::context::intrinsic;
use rquickjs::function::This;
use rquickjs::promise::PromiseState;
use rquickjs::{Context, Ctx, Function, Module, Persistent, Promise, Runtime, Value};

use super::fault::{self, Fault};
use super::{bytecode, prelude};
use crate::sandbox::limits::{Limits, MAX_JOBS};
use crate::sandbox::protocol::{MAX_ANSWER_TEXT, MODULE, Tag};

/// The parts of the language that cost memory or attack surface and that [`prelude::GLOBALS`] does not need stay out:
/// `Proxy`, typed arrays, weak references, `performance`.
type Intrinsics = (
    intrinsic::Date,
    intrinsic::Eval,
    intrinsic::RegExpCompiler,
    intrinsic::RegExp,
    intrinsic::Json,
    intrinsic::MapSet,
    intrinsic::Promise,
);

/// A context that can compile and holds nothing else than what a program is compiled against.
pub(super) fn compiling_context(runtime: &Runtime) -> Result<Context, rquickjs::Error> {
    Context::custom::<Intrinsics>(runtime)
}

/// What is loaded.
#[derive(Debug, Clone, Copy)]
pub(super) enum Code<'a> {
    /// Text of an ES module.
    Source(&'a str),
    /// What [`bytecode::compile`] made of one.
    Bytecode(&'a [u8]),
}

/// A call that took longer than this may have left much behind; short ones cannot fill a heap.
const WORTH_A_LOOK: Duration = Duration::from_millis(2);

/// What the engine's callbacks share with the call in progress.
struct Hooks {
    deadline: Cell<Instant>,
    /// The deadline passed while the engine looked.
    interrupted: Cell<bool>,
    /// Rejected promises that nobody handles, and why the first one was.
    unhandled: Cell<i32>,
    reason: RefCell<Option<Fault>>,
}

impl Hooks {
    fn arm(&self, deadline: Instant) {
        self.deadline.set(deadline);
        self.interrupted.set(false);
        self.unhandled.set(0);
        self.reason.replace(None);
    }

    fn expired(&self) -> bool {
        let expired = Instant::now() >= self.deadline.get();
        if expired {
            self.interrupted.set(true);
        }
        expired
    }
}

/// An engine that is ready for a revision. Making one takes most of the time of a cold load, so the worker keeps one
/// at hand.
pub(super) struct Blank {
    deep_freeze: Persistent<Function<'static>>,
    begin: Persistent<Function<'static>>,
    context: Context,
    runtime: Runtime,
    hooks: Rc<Hooks>,
    heap_bytes: u32,
}

impl Blank {
    /// Fails when the process has no memory left.
    pub(super) fn new(limits: &Limits) -> Result<Self, rquickjs::Error> {
        let runtime = Runtime::new()?;
        runtime.set_memory_limit(limits.heap_bytes as usize);
        runtime.set_max_stack_size(limits.stack_bytes as usize);
        let hooks = Rc::new(Hooks {
            deadline: Cell::new(Instant::now() + Duration::from_hours(24)),
            interrupted: Cell::new(false),
            unhandled: Cell::new(0),
            reason: RefCell::new(None),
        });
        let clock = Rc::clone(&hooks);
        runtime.set_interrupt_handler(Some(Box::new(move || clock.expired())));
        let tracker = Rc::clone(&hooks);
        runtime.set_host_promise_rejection_tracker(Some(Box::new(move |_, _, reason, handled| {
            tracker
                .unhandled
                .set(tracker.unhandled.get() + if handled { -1 } else { 1 });
            if !handled && tracker.reason.borrow().is_none() {
                let fault = Fault::of(&reason);
                tracker.reason.replace(Some(fault));
            }
        })));
        let context = Context::custom::<Intrinsics>(&runtime)?;
        let (deep_freeze, begin) = context.with(|ctx| {
            let kept = prelude::install(&ctx)?;
            Ok::<_, rquickjs::Error>((
                Persistent::save(&ctx, kept.deep_freeze),
                Persistent::save(&ctx, kept.begin),
            ))
        })?;
        Ok(Self {
            deep_freeze,
            begin,
            context,
            runtime,
            hooks,
            heap_bytes: limits.heap_bytes,
        })
    }

    /// Compiles or reads, and evaluates, an ES module that exports `handle`.
    pub(super) fn load(self, code: Code<'_>, deadline: Instant) -> Result<Loaded, Fault> {
        self.hooks.arm(deadline);
        let handle = self.context.with(|ctx| {
            let module = match code {
                Code::Source(text) => Module::declare(ctx.clone(), MODULE, text),
                Code::Bytecode(bytes) => bytecode::read(&ctx, bytes),
            };
            let module = module.map_err(|_| Fault::caught(&ctx))?;
            let (module, done) = module.eval().map_err(|_| Fault::caught(&ctx))?;
            self.run_jobs(&ctx)?;
            match done.state() {
                PromiseState::Resolved => {}
                PromiseState::Pending => {
                    return Err(Fault::script("the module waits for something that never comes"));
                }
                PromiseState::Rejected => {
                    return Err(done
                        .result::<Value>()
                        .map_or_else(|| Fault::script(""), |_| Fault::caught(&ctx)));
                }
            }
            let handle: Value = module.get("handle").map_err(|_| Fault::caught(&ctx))?;
            let Some(handle) = handle.into_function() else {
                return Err(Fault::script("bot.js does not export a function named handle"));
            };
            // What hangs on the function or the module would otherwise outlive a call.
            let freeze = self
                .deep_freeze
                .clone()
                .restore(&ctx)
                .map_err(|_| Fault::caught(&ctx))?;
            let meta = module.meta().map_err(|_| Fault::caught(&ctx))?;
            freeze
                .call::<_, ()>((handle.clone(),))
                .map_err(|_| Fault::caught(&ctx))?;
            freeze.call::<_, ()>((meta,)).map_err(|_| Fault::caught(&ctx))?;
            Ok(Persistent::save(&ctx, handle))
        });
        let handle = handle.map_err(|fault| {
            if self.hooks.interrupted.get() {
                Fault::of_tag(Tag::CpuLimit)
            } else {
                fault
            }
        })?;
        Ok(Loaded { handle, blank: self })
    }

    fn run_jobs(&self, ctx: &Ctx<'_>) -> Result<(), Fault> {
        let mut jobs = 0;
        while ctx.execute_pending_job() {
            jobs += 1;
            if self.hooks.interrupted.get() || self.hooks.expired() {
                return Err(Fault::of_tag(Tag::CpuLimit));
            }
            if jobs > MAX_JOBS {
                return Err(Fault::of_tag(Tag::JobLimit));
            }
        }
        Ok(())
    }
}

/// A revision that can be called.
pub(super) struct Loaded {
    handle: Persistent<Function<'static>>,
    blank: Blank,
}

/// The end of one call.
pub(super) struct Ended {
    /// The JSON text that `handle` returned, or why there is none.
    pub(super) result: Result<String, Fault>,
    /// The runtime can serve further calls.
    pub(super) reusable: bool,
}

impl Loaded {
    /// Calls `handle` with `input` (JSON) and takes its answer as JSON.
    pub(super) fn call(&self, input: &str, deadline: Instant, seed: u64, now_ms: i64) -> Ended {
        let hooks = &self.blank.hooks;
        hooks.arm(deadline);
        let started = Instant::now();
        let result = self.blank.context.with(|ctx| self.run(&ctx, input, seed, now_ms));
        let result = match result {
            // An interrupt cannot be caught by the script, but it can leave any other error behind.
            _ if hooks.interrupted.get() => Err(Fault::of_tag(Tag::CpuLimit)),
            Ok(_)
            | Err(Fault {
                tag: Tag::BadResult, ..
            }) if hooks.unhandled.get() > 0 => Err(hooks
                .reason
                .take()
                .unwrap_or_else(|| Fault::script("a promise was rejected"))),
            Ok(text) if text.len() > MAX_ANSWER_TEXT => Err(Fault::output(text.len())),
            other => other,
        };
        let sound = match &result {
            Ok(_) => true,
            Err(fault) => matches!(fault.tag, Tag::ScriptError | Tag::BadResult | Tag::OutputLimit),
        };
        let reusable = sound
            && !self.blank.runtime.is_job_pending()
            && (started.elapsed() < WORTH_A_LOOK || self.is_light());
        Ended { result, reusable }
    }

    fn run(&self, ctx: &Ctx<'_>, input: &str, seed: u64, now_ms: i64) -> Result<String, Fault> {
        let caught = |_| Fault::caught(ctx);
        let begin = self.blank.begin.clone().restore(ctx).map_err(caught)?;
        let handle = self.handle.clone().restore(ctx).map_err(caught)?;
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds since 1970 stay below 2^53 for 285,000 years"
        )]
        let now = now_ms as f64;
        #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
        let (low, high) = (seed as u32, (seed >> 32) as u32);
        begin.call::<_, ()>((now, low, high)).map_err(caught)?;
        let input = ctx.json_parse(input).map_err(caught)?;
        let returned: Value = handle.call((This(()), input)).map_err(caught)?;
        let Some(promise) = Promise::from_value(returned.clone())
            .ok()
            .filter(|_| returned.is_promise())
        else {
            // What `handle` returned is the answer; jobs it left behind run, but cannot change it any more.
            let text = stringify(ctx, returned);
            self.blank.run_jobs(ctx)?;
            return text;
        };
        self.blank.run_jobs(ctx)?;
        match promise.result::<Value>() {
            Some(Ok(value)) => stringify(ctx, value),
            Some(Err(_)) => Err(Fault::caught(ctx)),
            None => Err(Fault::bad_result(
                "the promise that handle returned never settles",
            )),
        }
    }

    /// Whether the heap is at most half full. Counts every object, so it is not for every call.
    fn is_light(&self) -> bool {
        self.heap() <= self.blank.heap_bytes / 2
    }

    /// Bytes of heap in use.
    pub(super) fn heap(&self) -> u32 {
        u32::try_from(self.blank.runtime.memory_usage().malloc_size).unwrap_or(u32::MAX)
    }
}

/// The engine's own function, which bot code cannot replace.
fn stringify<'js>(ctx: &Ctx<'js>, value: Value<'js>) -> Result<String, Fault> {
    let text = ctx.json_stringify(value).map_err(|_| Fault::caught(ctx))?;
    let text = text.ok_or_else(|| Fault::bad_result("handle returned nothing that JSON can hold"))?;
    text.to_string().map_err(|error| match error {
        rquickjs::Error::Utf8(_) => Fault::bad_result("a text holds half of a surrogate pair"),
        _ => fault::out_of_memory(),
    })
}
