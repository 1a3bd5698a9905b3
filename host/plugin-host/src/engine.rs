//! The one wasmtime engine of a host.

use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// How many instances the pool has room for: resident ones, and HTTP requests under way.
const INSTANCES: u32 = 2048;
/// Memories of all of them: those of interpreters have two or more.
const MEMORIES: u32 = 3072;

/// Builds the engine. `pooling` keeps memories and stacks for instances in reserve, which makes a
/// new instance several times cheaper and takes terabytes of address space (none of memory).
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
            .max_memories_per_component(4)
            .max_core_instances_per_component(64)
            .max_tables_per_component(32);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    Engine::new(&config)
}
