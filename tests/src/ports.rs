//! Free ports that stay ours: no other test process gets them, and no outgoing connection.
//!
//! A port from the kernel's ephemeral range can be taken by any client while a server of
//! ours restarts. So each test process locks a block below that range for its life.

use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context, Result, bail};

const FIRST: u16 = 12_000;
const BLOCKS: u16 = 80;
const BLOCK: u16 = 250;
/// The upper part of a block is for RTP, which Asterisk picks by itself and tries again when taken.
const RTP: u16 = 100;

struct Block {
    first: u16,
    next: AtomicU16,
    /// Held, never read: the lock goes with the process.
    _lock: File,
}

/// A port on 127.0.0.1 that nobody listens on, neither by TCP nor by UDP.
pub fn free() -> Result<u16> {
    let block = block()?;
    for _ in 0..BLOCK - RTP {
        let offset = block.next.fetch_add(1, Ordering::Relaxed) % (BLOCK - RTP);
        let port = block.first + offset;
        if is_free(port) {
            return Ok(port);
        }
    }
    bail!("no port is free from {} to {}", block.first, block.first + BLOCK - RTP - 1)
}

/// First and last RTP port for the Asterisks of this process.
pub fn rtp_range() -> Result<(u16, u16)> {
    let first = block()?.first + BLOCK - RTP;
    Ok((first, first + RTP - 1))
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
        && UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn block() -> Result<&'static Block> {
    static OURS: OnceLock<Option<Block>> = OnceLock::new();
    OURS.get_or_init(lock_a_block)
        .as_ref()
        .context("every block of test ports is locked by another test process")
}

fn lock_a_block() -> Option<Block> {
    let dir = std::env::temp_dir().join("telepulse-ports");
    std::fs::create_dir_all(&dir).ok()?;
    (0..BLOCKS).find_map(|number| {
        let path = dir.join(number.to_string());
        let lock = OpenOptions::new().create(true).append(true).open(path).ok()?;
        lock.try_lock().ok()?;
        Some(Block { first: FIRST + number * BLOCK, next: AtomicU16::new(0), _lock: lock })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ_and_stay_out_of_the_rtp_range() {
        let (low, high) = rtp_range().unwrap();
        let ports: std::collections::BTreeSet<u16> = (0..20).map(|_| free().unwrap()).collect();
        assert_eq!(ports.len(), 20);
        assert!(ports.iter().all(|port| *port < low || *port > high));
    }

    #[test]
    fn a_port_in_use_is_passed_over() {
        let taken = free().unwrap();
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, taken)).unwrap();
        assert!(!is_free(taken));
    }
}
