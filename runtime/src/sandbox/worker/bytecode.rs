//! Compiled modules: written by a process that only compiles, read by those that run.
//!
//! Bytecode that this process did not make itself is as dangerous as a damaged heap, so its way is short: it comes from
//! a compiler that was started for one source and saw no other, through the node's memory, to the workers of the same
//! program. It says nothing that its source could not have said to the same workers. The second place of the workspace
//! that needs `unsafe` (`fds` is the other): no interface can know that the bytes are what the engine wrote.
#![expect(
    unsafe_code,
    reason = "reading bytecode is only sound if the engine of this program wrote it, which no safe interface can know"
)]

use rquickjs::module::Declared;
use rquickjs::{Ctx, Module, Runtime, WriteOptions};

use super::engine::compiling_context;
use super::fault::{self, Fault};
use crate::sandbox::limits::Limits;
use crate::sandbox::protocol::{MAX_BYTECODE, MODULE};

/// The bytecode of `source`. Nothing of it is run. Functions keep their text and their lines, so that a program cannot
/// tell, nor its errors, how it was loaded.
pub(super) fn compile(source: &str, limits: &Limits) -> Result<Vec<u8>, Fault> {
    let runtime = Runtime::new().map_err(|_| fault::out_of_memory())?;
    runtime.set_memory_limit(limits.heap_bytes as usize);
    runtime.set_max_stack_size(limits.stack_bytes as usize);
    let context = compiling_context(&runtime).map_err(|_| fault::out_of_memory())?;
    context.with(|ctx| {
        let module = Module::declare(ctx.clone(), MODULE, source).map_err(|_| Fault::caught(&ctx))?;
        let bytecode = module
            .write(WriteOptions::default())
            .map_err(|_| Fault::caught(&ctx))?;
        if bytecode.len() > MAX_BYTECODE {
            return Err(Fault::output(bytecode.len()));
        }
        Ok(bytecode)
    })
}

/// The module that [`compile`] wrote.
pub(super) fn read<'js>(ctx: &Ctx<'js>, bytecode: &[u8]) -> Result<Module<'js, Declared>, rquickjs::Error> {
    // SAFETY: The node hands only such bytes to a worker that a worker of the same program wrote with the engine of
    // this version: the version of the protocol is checked at the start of both, nothing of it is ever stored or sent
    // to another machine, and the engine compares the number of its format.
    unsafe { Module::load(ctx.clone(), bytecode) }
}
