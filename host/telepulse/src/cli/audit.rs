//! `audit`: is what we show of a server what the server itself lists?

use super::{
    client::{Client, Content, segment},
    output,
};
use anyhow::bail;
use clap::Args;
use http::Method;
use std::io::{self, Write as _};

#[derive(Args)]
pub(super) struct Options {
    /// The server's id.
    #[arg(long, value_name = "ID")]
    server: String,
    #[command(flatten)]
    client: Client,
}

/// Has the server audited and prints what differed.
pub(super) async fn run(Options { server, client }: Options) -> anyhow::Result<()> {
    let path = format!("/servers/{}/audit", segment(&server));
    let report = client.call(Method::POST, &path, Content::Nothing).await?;
    let differences = report["differences"].as_u64().unwrap_or_default();
    if client.json {
        output::print_json(&report)?;
    } else if differences == 0 {
        let text = format!("server {server}: no difference");
        writeln!(io::stdout(), "{}", output::inert(&text, false))?;
    } else {
        for item in report["items"].as_array().into_iter().flatten() {
            writeln!(io::stdout(), "{}", output::inert(&item.to_string(), false))?;
        }
    }
    if differences > 0 {
        bail!("server {server}: {differences} differences, mended");
    }
    Ok(())
}
