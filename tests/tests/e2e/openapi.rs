//! What the descriptions of both HTTP APIs promise, held against what a running platform answers: thousands
//! of requests, good and bad, made from the descriptions (schemathesis).

use crate::platform::{Platform, TOKEN};
use anyhow::{Result, bail};
use std::path::Path;
use telepulse_tests::{
    asterisk::{self, Asterisk, Options},
    languages,
};
use tokio::process::Command;

/// Requests for each operation, in each of its ways to make them.
const EXAMPLES: &str = "25";

async fn check(description: &str, more: &[&str]) -> Result<()> {
    let program = languages::schemathesis()?;
    let settings = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemathesis.toml");
    let output = Command::new(program)
        .arg("--config-file")
        .arg(settings)
        .args(["run", description, "--max-examples", EXAMPLES, "--seed", "7", "--checks", "all"])
        // After thirty wrong guesses within a minute every further one gets 429; a call that is hung
        // up is still at its place: it is over.
        .args(["--exclude-checks", "ignored_auth,use_after_free", "--no-color"])
        .args(more)
        .current_dir(std::env::temp_dir())
        .output()
        .await?;
    let told = String::from_utf8_lossy(&output.stdout);
    let at_the_end: Vec<&str> = told.lines().rev().take(120).collect();
    if !output.status.success() {
        let told: Vec<&str> = at_the_end.into_iter().rev().collect();
        bail!("{description}:\n{}", told.join("\n"));
    }
    println!("{description}: {}", at_the_end.first().unwrap_or(&""));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn both_apis_answer_as_they_are_described() -> Result<()> {
    let Some(installation) = asterisk::require("openapi::both_apis_answer") else {
        return Ok(());
    };
    let pbx = Asterisk::start(&installation, Options::default()).await?;
    let fast = "[commands]\nperSecond = 100000\ndialsPerMinute = 100000\n";
    let platform = Platform::builder().server("pbx1", &pbx).raw(fast).start().await?;
    platform.connected("pbx1").await?;
    let bearer = format!("Authorization: Bearer {TOKEN}");
    // A stream of events has no end; `listeners` looks at it.
    check(&platform.rest("/v1/openapi.json"), &["-H", &bearer, "--exclude-path", "/v1/events"])
        .await?;
    // Components cannot be made from a description, and the configuration is read again by the program around
    // the platform; everything else of the admin API can be asked.
    let uploads = ["--exclude-method", "PUT", "--exclude-path-regex", "(install|approve|reload)"];
    check(&platform.admin("/openapi.json"), &uploads).await?;
    // Servers and plugins were stopped and removed among all that; the host is well.
    assert!(reqwest::get(platform.admin("/healthz")).await?.status().is_success());
    platform.stop().await;
    Ok(())
}
