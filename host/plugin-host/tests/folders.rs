//! The grant `files`: a component sees the folders that it was granted, as far as it was, and nothing else.

mod support;

use plugin_host::State;
use std::{fs, io, os::unix::fs::symlink, path::Path};
use support::{Rig, guests::guest};

/// A folder with a file, beside another file that nobody is granted, and links that lead there.
fn folder() -> io::Result<tempfile::TempDir> {
    let dir = tempfile::tempdir()?;
    let inside = dir.path().join("inside");
    fs::create_dir_all(inside.join("deep"))?;
    fs::write(inside.join("deep/a.txt"), "hello")?;
    fs::write(dir.path().join("secret"), "the secret")?;
    symlink("../secret", inside.join("relative"))?;
    symlink(dir.path().join("secret"), inside.join("absolute"))?;
    symlink("..", inside.join("above"))?;
    Ok(dir)
}

fn grants(files: &str) -> String {
    format!(
        "[grants]\nrequest = [\"test.ask\"]\nhttp = []\n{files}\n\
         routes = [{{ listen = \"127.0.0.1:8083\", path = \"/\" }}]\n[limits]\ncallMs = 1000\n"
    )
}

fn granted(folder: &Path, mode: &str) -> String {
    let path = folder.display();
    grants(&format!("files = [{{ path = \"{path}\", mode = \"{mode}\" }}]"))
}

async fn does(rig: &Rig, what: &str, path: &Path) -> String {
    let target = format!("/{what}{}", path.display());
    let (status, text) = rig.world.get("/", &target).await.expect("an answer");
    assert_eq!(status, 200, "{target}");
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_granted_is_seen_and_nothing_above_it() {
    let dir = folder().unwrap();
    let inside = dir.path().join("inside");
    let rig = Rig::with(&[("web", &guest("web"), &granted(&inside, "ro"))]).await;
    assert_eq!(does(&rig, "read", &inside.join("deep/a.txt")).await, "hello");
    assert_eq!(does(&rig, "list", &inside.join("deep")).await, "a.txt");
    for way_out in [
        "../secret",
        "deep/../../secret",
        "relative",
        "absolute",
        "above/secret",
        "above/inside/../secret",
    ] {
        let said = does(&rig, "read", &inside.join(way_out)).await;
        assert!(said.starts_with("refused: "), "{way_out}: {said}");
    }
    for elsewhere in [dir.path().join("secret"), "/etc/passwd".into(), "/proc/self/environ".into()]
    {
        let said = does(&rig, "read", &elsewhere).await;
        assert!(said.starts_with("refused: "), "{elsewhere:?}: {said}");
    }
    // It reads, and no more than that.
    for what in ["write", "remove", "link"] {
        let path = if what == "link" { inside.clone() } else { inside.join("deep/a.txt") };
        let said = does(&rig, what, &path).await;
        assert!(said.starts_with("refused: "), "{what}: {said}");
    }
    assert_eq!(fs::read_to_string(inside.join("deep/a.txt")).unwrap(), "hello");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_write_may_not_make_a_way_out() {
    let dir = folder().unwrap();
    let inside = dir.path().join("inside");
    let rig = Rig::with(&[("web", &guest("web"), &granted(&inside, "rw"))]).await;
    assert_eq!(does(&rig, "write", &inside.join("b.txt")).await, "written");
    assert_eq!(fs::read_to_string(inside.join("b.txt")).unwrap(), "x");
    assert_eq!(does(&rig, "remove", &inside.join("b.txt")).await, "removed");
    assert!(!inside.join("b.txt").exists());
    let said = does(&rig, "link", &inside).await;
    assert!(said.starts_with("refused: "), "{said}");
    let said = does(&rig, "write", &inside.join("relative")).await;
    assert!(said.starts_with("refused: "), "{said}");
    assert_eq!(fs::read_to_string(dir.path().join("secret")).unwrap(), "the secret");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_grant_there_is_nothing() {
    let dir = folder().unwrap();
    for files in ["", "files = []"] {
        let rig = Rig::with(&[("web", &guest("web"), &grants(files))]).await;
        let said = does(&rig, "read", &dir.path().join("secret")).await;
        assert!(said.starts_with("refused: "), "{said}");
        rig.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_missing_is_told() {
    let dir = folder().unwrap();
    let missing = dir.path().join("missing");
    let rig = Rig::with(&[]).await;
    rig.put("web.toml", granted(&missing, "ro").as_bytes());
    rig.put("web.wasm", &guest("web"));
    let status = rig.plugin("web", "a failure", |it| it.state == State::Failed).await;
    let error = status.error.unwrap_or_default();
    assert!(
        error.contains("missing\" cannot be opened") && error.contains("grants.files"),
        "{error}"
    );
    rig.stop().await;
}
