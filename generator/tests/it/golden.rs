//! The programs of the example bots, byte by byte. `BOTLOOM_REGEN=1` writes them anew; then count `COMPILER_VERSION` or
//! `SDK_VERSION` up.

use std::fs;

use crate::examples;
use crate::support::here;

#[test]
fn examples_compile_to_the_committed_programs() {
    let mut changed = Vec::new();
    for example in examples::all() {
        let program = botloom_generator::compile(&example.spec);
        assert_eq!(
            program,
            botloom_generator::compile(&example.spec),
            "two builds differ"
        );
        let verdict = botloom_generator::filter(&program, &example.spec.security.allow_domains);
        assert!(verdict.is_ok(), "{}: {verdict:#?}", example.name);
        let path = here().join("tests/golden").join(&example.name).join("bot.js");
        if fs::read_to_string(&path).ok().as_deref() != Some(program.as_str()) {
            changed.push(example.name);
            if std::env::var_os("BOTLOOM_REGEN").is_some() {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, program).unwrap();
            }
        }
    }
    assert!(
        changed.is_empty(),
        "other bytes than committed (written if BOTLOOM_REGEN is set): {changed:?}"
    );
}
