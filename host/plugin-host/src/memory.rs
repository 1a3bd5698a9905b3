//! How much memory an instance may have: all its linear memories together, and its tables.

use wasmtime::{ResourceLimiter, Result, bail};

/// Elements of all tables together.
const TABLE_ELEMENTS: usize = 100_000;

/// What one store has left.
pub(crate) struct MemoryLimit {
    /// As the operator wrote it, in bytes.
    limit: usize,
    left: usize,
    elements_left: usize,
}

impl MemoryLimit {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, left: limit, elements_left: TABLE_ELEMENTS }
    }
}

/// An error, rather than a growth that fails: few guests can go on after that, and this says why.
impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, now: usize, wanted: usize, _: Option<usize>) -> Result<bool> {
        let more = wanted.saturating_sub(now);
        if more > self.left {
            bail!("it wants more memory than limits.memory, {} MiB", self.limit >> 20);
        }
        self.left -= more;
        Ok(true)
    }

    fn table_growing(&mut self, now: usize, wanted: usize, _: Option<usize>) -> Result<bool> {
        let more = wanted.saturating_sub(now);
        if more > self.elements_left {
            bail!("it wants more than {TABLE_ELEMENTS} table elements");
        }
        self.elements_left -= more;
        Ok(true)
    }

    fn instances(&self) -> usize {
        64
    }

    fn tables(&self) -> usize {
        32
    }

    fn memories(&self) -> usize {
        4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_memories_count_together() {
        let mut limit = MemoryLimit::new(2 << 20);
        assert!(limit.memory_growing(0, 1 << 20, None).is_ok());
        assert!(limit.memory_growing(0, 1 << 20, None).is_ok());
        let error = limit.memory_growing(1 << 20, (1 << 20) + 1, None).unwrap_err();
        assert!(error.to_string().contains("limits.memory, 2 MiB"), "{error}");
    }
}
