//! Looks at each event of a batch: one buffer, which begins with the number of events and their offsets.

/// What is done with a batch, wherever it comes from.
fn handle(batch: &[u8]) -> u32 {
    let number = |at: usize| u32::from_le_bytes(batch[at * 4..at * 4 + 4].try_into().unwrap());
    let count = number(0) as usize;
    let mut sum = 0;
    for event in 0..count {
        let event = &batch[number(1 + event) as usize..number(2 + event) as usize];
        sum += u64::from(event[0]) + event.len() as u64;
    }
    std::hint::black_box(sum);
    count as u32
}

#[cfg(feature = "pdk")]
#[extism_pdk::plugin_fn]
pub fn events(batch: Vec<u8>) -> extism_pdk::FnResult<Vec<u8>> {
    Ok(handle(&batch).to_le_bytes().to_vec())
}

#[cfg(not(feature = "pdk"))]
mod bare {
    /// Makes room for a batch.
    #[unsafe(no_mangle)]
    pub extern "C" fn room(length: usize) -> *mut u8 {
        Vec::leak(vec![0; length]).as_mut_ptr()
    }

    /// Handles the batch that lies there.
    ///
    /// # Safety
    /// `at` comes from `room`, called with at least `length`.
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn events(at: *const u8, length: usize) -> u32 {
        super::handle(unsafe { std::slice::from_raw_parts(at, length) })
    }
}
