//! How the process takes memory from the system.

/// Takes memory in small pages from now on: a huge page (2 MB) is zeroed all at once when first touched, which
/// can hold up whoever touches it, and every event behind, for several milliseconds.
///
/// A system that knows no huge pages, or lets nobody choose, is fine as it is.
pub fn in_small_pages() {
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "huge pages stay as the system has them");
    }
}
