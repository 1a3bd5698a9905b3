//! The first plugin in each language, made, built and installed as its README says: the same screen
//! pop for the same call on a real Asterisk.

use crate::{
    platform::{Platform, TOKEN},
    ws::Client,
};
use anyhow::{Result, ensure};
use serde_json::json;
use std::{collections::BTreeSet, ffi::OsStr, fs, path::Path, process::Command, time::Duration};
use telepulse_tests::{
    asterisk::{self, Asterisk, Options},
    languages,
    phones::Phone,
};

const LANGUAGES: [&str; 4] = ["rust", "javascript", "python", "c"];
const RING: Duration = Duration::from_millis(300);

fn telepulse(path: &OsStr, folder: &Path, arguments: &[&str]) -> Result<String> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/debug/telepulse");
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env("PATH", path)
        // The template's own build, not that of the tests.
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("RUSTFLAGS")
        .output()?;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "telepulse {arguments:?}: {told}");
    Ok(told)
}

/// Makes a plugin in a language, and has it run; each pops up a page of its own.
fn install(language: &str, path: &OsStr, folder: &Path, admin: &str) -> Result<()> {
    let name = format!("pop-{language}");
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugin-sdk");
    let sdk = sdk.display().to_string();
    telepulse(path, folder, &["plugins", "new", "--lang", language, &name, "--sdk", &sdk])?;
    let folder = folder.join(&name);
    let manifest = fs::read_to_string(folder.join("manifest.toml"))?;
    let page = format!("https://{language}.example/");
    let manifest = manifest.replace("https://crm.example/search?phone=", &page);
    fs::write(folder.join("manifest.toml"), manifest)?;
    let told = telepulse(path, &folder, &["plugins", "dev", "--once", "--yes", "--admin", admin])?;
    ensure!(told.contains("+ publish \"telepulse.event.screenPop\""), "{told}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_plugin_in_four_languages() -> Result<()> {
    let name = "languages::the_same_plugin_in_four_languages";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let pbx = Asterisk::start(&installation, Options::default()).await?;
    let _caller = Phone::answering(pbx.phone_port("101")?, RING).await?;
    let _callee = Phone::answering(pbx.phone_port("102")?, RING).await?;
    let platform = Platform::builder().server("pbx1", &pbx).start().await?;
    platform.connected("pbx1").await?;

    let admin = platform.admin("");
    let folder = platform.dir.path().to_owned();
    let installed = tokio::task::spawn_blocking(move || -> Result<()> {
        let path = languages::path()?;
        LANGUAGES.iter().try_for_each(|language| install(language, &path, &folder, &admin))
    });
    installed.await??;
    for language in LANGUAGES {
        platform.plugin_runs(&format!("pop-{language}")).await?;
    }

    let mut client = Client::connect(platform.ws_port, TOKEN).await?;
    client.ok(json!({"action": "subscribe", "filter": {"events": ["screenPop"]}})).await?;
    client.ok(json!({"action": "dial", "from": "101", "to": "102"})).await?;
    let expected: BTreeSet<String> =
        LANGUAGES.iter().map(|language| format!("https://{language}.example/101")).collect();
    let mut pages = BTreeSet::new();
    let popped = |event: &serde_json::Value| {
        if event["event"] == "screenPop" && event["agent"] == "102" && event["number"] == "101" {
            pages.extend(event["link"].as_str().map(str::to_owned));
        }
        pages == expected
    };
    client.event("a page of each plugin", popped).await?;
    for language in LANGUAGES {
        let figures = platform.app.plugins().show(&format!("pop-{language}")).map(|it| it.figures);
        let counted = figures.map(|it| (it.skipped, it.restarts, it.denied));
        assert_eq!(counted, Some((0, 0, 0)), "{language}");
    }
    platform.stop().await;
    Ok(())
}
