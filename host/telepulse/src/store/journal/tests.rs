//! What is on disk after what was given, also after a start on the same file.

use super::*;
use std::path::PathBuf;
use tempfile::TempDir;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("journal.redb")
    }
}

fn message(number: u64) -> Bytes {
    format!("message {number}").into()
}

async fn numbers(journal: &JournalStore, plugin: &Arc<str>, after: u64, most: usize) -> Vec<u64> {
    let read = journal.read(plugin, after, most).await.unwrap();
    for (number, found) in &read {
        assert_eq!(*found, message(*number));
    }
    read.into_iter().map(|(number, _)| number).collect()
}

#[tokio::test]
async fn what_is_not_done_is_there_after_a_start() {
    let folder = Folder::new();
    let (crm, notes): (Arc<str>, Arc<str>) = ("crm".into(), "notes".into());
    let journal = JournalStore::start(&folder.file()).unwrap();
    assert_eq!(journal.open(&crm).await, Ok(Extent::default()));
    for number in 1..=10 {
        assert!(journal.append(&crm, number, message(number)));
        assert!(journal.append(&notes, number + 100, message(number + 100)));
    }
    journal.forget(&crm, 4);
    assert_eq!(numbers(&journal, &crm, 0, 3).await, [5, 6, 7]);
    journal.forget(&crm, 6);
    journal.stop().await;

    let journal = JournalStore::start(&folder.file()).unwrap();
    let extent = journal.open(&crm).await.unwrap();
    assert_eq!((extent.first, extent.last, extent.bytes), (7, 10, 3 * 9 + 10));
    assert_eq!(numbers(&journal, &crm, 8, 100).await, [9, 10]);
    assert_eq!(numbers(&journal, &notes, 0, 100).await.len(), 10);
    journal.open(&notes).await.unwrap();
    journal.forget(&notes, u64::MAX);
    assert_eq!(journal.open(&notes).await, Ok(Extent::default()));
    journal.stop().await;
}

#[tokio::test]
async fn what_is_done_at_once_is_never_written() {
    let folder = Folder::new();
    let plugin: Arc<str> = "crm".into();
    let journal = JournalStore::start(&folder.file()).unwrap();
    let before = std::fs::metadata(folder.file()).unwrap().len();
    // The thread is busy with a question, so that all of this comes together.
    let busy = journal.open(&plugin);
    for number in 1..=2_000 {
        assert!(journal.append(&plugin, number, vec![0; 1_000].into()));
        journal.forget(&plugin, number);
    }
    busy.await.unwrap();
    journal.stop().await;
    // Where the thread was faster than this one it wrote some of it.
    let after = std::fs::metadata(folder.file()).unwrap().len();
    assert!(after < before + 1_000_000, "{before}, then {after}");
}

#[tokio::test]
async fn a_disk_that_is_far_behind_takes_no_more() {
    let folder = Folder::new();
    let plugin: Arc<str> = "crm".into();
    let journal = JournalStore::start(&folder.file()).unwrap();
    let large = Bytes::from(vec![0; 1 << 20]);
    let taken = (1..=400).filter(|number| journal.append(&plugin, *number, large.clone())).count();
    assert!(taken >= 64, "{taken}");
    assert!(taken < 400, "the disk kept up with 400 MiB");
    journal.stop().await;
}
