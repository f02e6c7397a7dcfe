//! The system calls that are left to a worker: memory, the channel, time, and its own end.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

/// `PROT_EXEC` of every Linux architecture.
const PROT_EXEC: u64 = 4;
/// What a refused call returns: `EPERM`. Not a kill, because a C library that tries something new must not turn every
/// call of every bot into a crash.
const EPERM: u32 = 1;

fn only(argument: u8, op: SeccompCmpOp, value: u64) -> Result<Vec<SeccompRule>, Error> {
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, op, value)?;
    Ok(vec![SeccompRule::new(vec![condition])?])
}

fn filter() -> Result<BpfProgram, Error> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = [
        // Memory, also from another thread's heap.
        libc::SYS_brk,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_madvise,
        libc::SYS_futex,
        // Time where the kernel does not lend it without a call; seeds of hash maps.
        libc::SYS_clock_gettime,
        libc::SYS_gettimeofday,
        libc::SYS_getrandom,
        // The report of a thread's stack overflow, and the end.
        libc::SYS_rt_sigreturn,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_sigaltstack,
        libc::SYS_restart_syscall,
        libc::SYS_sched_yield,
        libc::SYS_exit,
        libc::SYS_exit_group,
    ]
    .into_iter()
    .map(|call| (call, vec![]))
    .collect();
    for call in [libc::SYS_read, libc::SYS_write, libc::SYS_recvfrom] {
        rules.insert(call, only(0, SeccompCmpOp::Eq, 0)?);
    }
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        rules.insert(call, only(2, SeccompCmpOp::MaskedEq(PROT_EXEC), 0)?);
    }
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let filter = SeccompFilter::new(rules, SeccompAction::Errno(EPERM), SeccompAction::Allow, arch)?;
    Ok(BpfProgram::try_from(filter)?)
}

/// Takes every other system call from all threads of this process, for good. Returns whether the kernel agreed.
pub(super) fn confine() -> bool {
    filter().is_ok_and(|program| seccompiler::apply_filter_all_threads(&program).is_ok())
}
