//! What fuzzing has found worth keeping, replayed without a fuzzer: see `fuzz/README.md`.

use std::path::Path;

#[allow(unreachable_pub, reason = "the fuzz targets are another crate, which uses the same file")]
#[path = "../fuzz/src/lib.rs"]
mod drivers;

/// Runs every input of a corpus; one that fails is named.
fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).expect("a corpus") {
        let path = entry.expect("an entry").path();
        let input = std::fs::read(&path).expect("an input");
        let ended = std::panic::catch_unwind(|| run(&input));
        assert!(ended.is_ok(), "{} breaks a promise; see above", path.display());
        count += 1;
    }
    assert!(count >= 20, "{} has {count} inputs", folder.display());
}

#[test]
fn codec() {
    replay("codec", drivers::codec::run);
}

#[test]
fn session() {
    replay("session", drivers::session::run);
}

#[test]
fn writer() {
    replay("writer", drivers::writer::run);
}
