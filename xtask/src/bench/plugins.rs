//! `bench plugins`: what a plugin costs, beside Extism, a bare core module and a native function: one run,
//! the programs in turn.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::console::step;
use crate::{components, tools};

/// Turns of each program; what counts is the middle one.
const TURNS: usize = 3;

/// Figures by `WHO NAME`.
type Figures = BTreeMap<String, Vec<f64>>;

/// Builds, runs in turn, and prints the table.
pub(super) fn measure() -> Result<()> {
    step("Guests", components::guests)?;
    let peers = step("Peers (the first time takes some minutes)", build_peers)?;
    let ours = step("Ours", || tools::bench_program("plugin-host", "plugins"))?;
    let mut figures = Figures::new();
    for turn in 1..=TURNS {
        step(&format!("Turn {turn} of {TURNS}"), || {
            run(&mut Command::new(&ours), &mut figures)?;
            run(Command::new(&peers.program).args([&peers.pdk, &peers.bare]), &mut figures)
        })?;
    }
    print(&figures)
}

struct Peers {
    program: PathBuf,
    pdk: PathBuf,
    bare: PathBuf,
}

fn build_peers() -> Result<Peers> {
    let sources = tools::root().join("xtask/peers/plugins");
    let target = tools::target_dir().join("peers");
    let wasm = "wasm32-unknown-unknown";
    // Without rustup it may be there all the same: then the build says so.
    let _ = Command::new("rustup").args(["target", "add", wasm]).status();
    let build = |folder: &Path, to: &str, more: &[&str]| -> Result<PathBuf> {
        let to = target.join(to);
        let mut cargo = tools::cargo();
        cargo.args(["build", "--release", "--locked", "--quiet"]).args(more);
        cargo.arg("--target-dir").arg(&to).current_dir(folder);
        tools::run(&mut cargo, "the compiler's own words are above")?;
        Ok(to)
    };
    let guest = sources.join("guest");
    let pdk = build(&guest, "guest-pdk", &["--target", wasm, "--features", "pdk"])?;
    let bare = build(&guest, "guest-bare", &["--target", wasm])?;
    let program = build(&sources, "plugins", &[])?;
    let module = |built: PathBuf| built.join(wasm).join("release/peer_guest.wasm");
    let program = program.join("release/plugin-peers");
    Ok(Peers { program, pdk: module(pdk), bare: module(bare) })
}

fn run(command: &mut Command, figures: &mut Figures) -> Result<()> {
    let output = command.output().context("a program did not start")?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Some((name, value)) = line.strip_prefix("figure ").and_then(|it| it.split_once(": "))
        else {
            continue;
        };
        figures.entry(name.to_owned()).or_default().push(value.parse()?);
    }
    Ok(())
}

fn middle(figures: &Figures, name: &str) -> Option<f64> {
    let mut values = figures.get(name)?.clone();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn print(figures: &Figures) -> Result<()> {
    const ROWS: [(&str, &str, f64); 5] = [
        ("event in a batch of 64", "ns", 1.0),
        ("event alone", "ns", 1.0),
        ("instance", "µs", 1000.0),
        ("memory", "KiB", 1.0),
        ("reload", "ms", 1e6),
    ];
    const WHO: [&str; 4] = ["ours", "extism", "core module", "native"];
    println!(
        "\nEvents of 330 bytes into a plugin that looks at each; the middle of {TURNS} turns.\n"
    );
    println!("{:28}{:>12}{:>12}{:>14}{:>10}", "", WHO[0], WHO[1], WHO[2], WHO[3]);
    for (name, unit, scale) in ROWS {
        print!("{:28}", format!("{name}, {unit}"));
        for (who, width) in WHO.iter().zip([12, 12, 14, 10]) {
            let value = middle(figures, &format!("{who} {name}"));
            let text =
                value.map_or_else(|| "-".to_owned(), |value| format!("{:.1}", value / scale));
            print!("{text:>width$}");
        }
        println!();
    }
    let of = |who: &str, name: &str| {
        middle(figures, &format!("{who} {name}")).with_context(|| format!("no figure {who} {name}"))
    };
    let (batch, alone) = ("event in a batch of 64", "event alone");
    let goals = [
        ("an event in a batch at most 30 ns", of("ours", batch)? <= 30.0),
        ("ten times cheaper than Extism", of("ours", batch)? * 10.0 <= of("extism", batch)?),
        ("alone twenty times cheaper", of("ours", alone)? * 20.0 <= of("extism", alone)?),
        ("a fresh instance in 10 µs", of("ours", "instance")? <= 10_000.0),
        ("a reload within 100 ms", of("ours", "reload")? <= 100e6),
    ];
    println!();
    for (goal, is_met) in goals {
        println!("{goal:40}{}", if is_met { "yes" } else { "NO" });
    }
    Ok(())
}
