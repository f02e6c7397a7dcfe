//! Closes what the worker inherited. One of two places of the workspace that need `unsafe` (`bytecode` is the other): closing descriptors by number
//! is only sound if nothing owns them, which no safe interface can know.
#![expect(
    unsafe_code,
    reason = "closing inherited descriptors by number has no safe interface"
)]

/// Closes every descriptor above standard error. Call it before anything in this process opens one.
/// Returns whether the kernel (Linux 5.9 or later) did it.
pub(super) fn close_inherited() -> bool {
    const FIRST: libc::c_uint = 3;
    const FLAGS: libc::c_uint = 0;
    // SAFETY: The call takes three numbers and touches no memory. The process has just started and has one thread;
    // nothing in it has opened a descriptor, so those that are closed came from the parent and no Rust value owns them.
    unsafe { libc::syscall(libc::SYS_close_range, FIRST, libc::c_uint::MAX, FLAGS) == 0 }
}
