//! The one wasmtime engine of a host.

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// How many instances the pool has room for: resident ones, and HTTP requests under way.
const INSTANCES: u32 = 2048;
/// Memories of all of them: those of interpreters have two or more.
const MEMORIES: u32 = 3072;

/// Bytes of a memory that stay with its slot when an instance ends, and are set back by writing them: given
/// back to the system instead, each page costs a fault and a word to every other core when it is used again.
/// The stack of a guest in Rust takes the first MiB, its data and heap begin behind.
const KEPT: usize = 5 << 18;
/// The same of a table.
const KEPT_OF_TABLE: usize = 64 << 10;

/// Builds the engine. `pooling` keeps memories and stacks for instances in reserve, which makes a
/// new instance several times cheaper and takes terabytes of address space; of memory only what slots in use,
/// and a hundred that were, keep.
pub(crate) fn build(pooling: bool) -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    // No component that we load needs component-model async, and calls cost a sixth without it.
    config.concurrency_support(false).epoch_interruption(true);
    if pooling {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(INSTANCES)
            .total_core_instances(INSTANCES * 4)
            .total_memories(MEMORIES)
            .total_tables(INSTANCES * 4)
            .total_stacks(INSTANCES)
            .table_elements(20_000)
            .max_memory_size(4 << 30)
            .linear_memory_keep_resident(KEPT)
            .table_keep_resident(KEPT_OF_TABLE)
            // Pages that were swapped out it takes for clean ones, which the next guest would see.
            .pagemap_scan(Enabled::No)
            .max_memories_per_component(4)
            .max_core_instances_per_component(64)
            .max_tables_per_component(32);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    Engine::new(&config)
}
