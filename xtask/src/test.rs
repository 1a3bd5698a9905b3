//! `test`: sets up what the tests need, runs them all, and says what was not run.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};

use crate::console::step;
use crate::tally::Tally;
use crate::{components, tools};

/// What to test, and how much.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Also the tests marked `#[ignore]`: storms, soaks, slow toolchains.
    #[arg(long)]
    full: bool,
    /// Tests that need a real Asterisk may be skipped where there is none.
    #[arg(long)]
    without_asterisk: bool,
    /// Only tests whose name contains this.
    filter: Option<String>,
}

/// Sets up, runs, sums up. Fails if a test failed or had to be skipped.
pub(crate) fn test(options: &Options) -> ExitCode {
    match all(options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn all(options: &Options) -> Result<bool> {
    step("Rust for plugins", tools::ensure_wasm_target)?;
    let asterisk = (!options.without_asterisk).then(AsteriskSetup::start).transpose()?;
    step("Plugins", components::plugins)?;
    step("Guests of the tests", components::guests)?;
    step("Build of the tests (the first one takes some minutes)", build)?;
    if let Some(asterisk) = asterisk {
        step("Asterisk and SIP phones", || asterisk.finish())?;
    }
    let skips = Skips::collect()?;
    let mut tally = Tally::default();
    let ran = step("Tests", || run(options, &skips, &mut tally));
    Ok(summary(options, tally, &skips.names()?, ran))
}

/// The installation of Asterisk, which mostly waits for the network: meanwhile we compile.
///
/// Where a build fails it goes on without us: what it installs serves the next run.
pub(crate) struct AsteriskSetup {
    installer: Child,
    log: PathBuf,
}

impl AsteriskSetup {
    /// Begins it in the background.
    pub(crate) fn start() -> Result<Self> {
        let log = tools::target_dir().join("asterisk-setup.log");
        let program = tools::profile_dir("dev").join("asterisk-setup");
        step("Installer of Asterisk", || {
            let mut build = tools::cargo();
            build.args(["build", "--package", "telepulse-tests", "--bin", "asterisk-setup"]);
            tools::run(&mut build, "the compiler's own words are above")
        })?;
        eprintln!("    started; what it says goes to {}", log.display());
        let out = File::create(&log).with_context(|| log.display().to_string())?;
        let mut install = Command::new(program);
        install.stdin(Stdio::null()).stderr(out.try_clone()?).stdout(out);
        let installer = install.spawn().context("starting asterisk-setup")?;
        Ok(Self { installer, log })
    }

    /// Waits for it. That there is no Asterisk is no error yet: other tests do without.
    pub(crate) fn finish(mut self) -> Result<()> {
        let status = self.installer.wait()?;
        eprint!("{}", fs::read_to_string(&self.log).unwrap_or_default());
        if !status.success() {
            eprintln!(
                "WARNING: the tests that need a real Asterisk will be skipped, and this run fails \
                 for it; see the way out above"
            );
        }
        Ok(())
    }
}

/// The tests that were skipped name themselves in a file.
struct Skips {
    file: PathBuf,
}

impl Skips {
    fn collect() -> Result<Self> {
        let file = tools::target_dir().join("skipped-tests.txt");
        File::create(&file).with_context(|| file.display().to_string())?;
        Ok(Self { file })
    }

    fn names(&self) -> Result<Vec<String>> {
        let text =
            fs::read_to_string(&self.file).with_context(|| self.file.display().to_string())?;
        Ok(text.lines().map(str::to_owned).collect())
    }
}

fn build() -> Result<()> {
    let mut build = tools::cargo();
    if tools::has_nextest() {
        build.args(["nextest", "run", "--workspace", "--no-run"]);
    } else {
        build.args(["test", "--workspace", "--no-run"]);
    }
    tools::run(&mut build, "the compiler's own words are above")
}

/// Runs everything, also what comes after a failure.
fn run(options: &Options, skips: &Skips, tally: &mut Tally) -> Result<()> {
    let nextest = tools::has_nextest();
    let tests = if nextest { with_nextest(options) } else { with_cargo(options)? };
    let main = listened(tests, skips, tally);
    if !nextest {
        return main;
    }
    // nextest does not run the examples in documentation.
    let mut docs = tools::cargo();
    docs.args(["test", "--workspace", "--doc", "--no-fail-fast", "--quiet"]).args(&options.filter);
    main.and(listened(docs, skips, tally))
}

fn with_nextest(options: &Options) -> Command {
    let mut tests = tools::cargo();
    tests.args(["nextest", "run", "--workspace", "--no-fail-fast", "--no-tests", "pass"]);
    if options.full {
        tests.args(["--run-ignored", "all"]);
    }
    tests.args(&options.filter);
    tests
}

fn with_cargo(options: &Options) -> Result<Command> {
    let own = std::env::current_exe().context("where is this program?")?;
    let runner = format!("target.'cfg(all())'.runner = ['{}', 'test-binary']", own.display());
    let mut tests = tools::cargo();
    tests.args(["test", "--workspace", "--no-fail-fast", "--config", &runner]);
    tests.args(&options.filter);
    if options.full {
        tests.args(["--", "--include-ignored"]);
    }
    Ok(tests)
}

/// Runs it with its output shown and counted: nextest reports on stderr, `cargo test` on stdout.
fn listened(mut tests: Command, skips: &Skips, tally: &mut Tally) -> Result<()> {
    let reports_on_stderr = tests.get_args().any(|arg| arg == "nextest");
    tests.env("TELEPULSE_SKIPPED", &skips.file);
    if reports_on_stderr {
        tests.stderr(Stdio::piped());
    } else {
        tests.stdout(Stdio::piped());
    }
    let mut child = tests.spawn().context("starting cargo")?;
    if let Some(report) = child.stderr.take() {
        tally.listen(report, std::io::stderr())?;
    } else if let Some(report) = child.stdout.take() {
        tally.listen(report, std::io::stdout())?;
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("not all tests passed ({status})");
    }
    Ok(())
}

/// Tells what was not run, and what was; the very last line is the count. Was all well?
fn summary(options: &Options, tally: Tally, skipped: &[String], ran: Result<()>) -> bool {
    let count = u64::try_from(skipped.len()).unwrap_or(u64::MAX);
    // A binary that was killed reports nothing, yet it failed.
    let failed = tally.failed.max(u64::from(ran.is_err()));
    if tally.ignored > 0 && !options.full {
        eprintln!("Left out: {} tests, filtered or for `cargo xtask test --full`.", tally.ignored);
    }
    for name in skipped {
        eprintln!("SKIPPED for want of a real Asterisk: {name}");
    }
    let verdict = verdict(options, tally, count, ran);
    if let Err(error) = &verdict {
        eprintln!("error: {error:#}");
    }
    // A skipped test returned early, and was reported as passed.
    println!("{} passed, {failed} failed, {count} skipped", tally.passed.saturating_sub(count));
    verdict.is_ok()
}

fn verdict(options: &Options, tally: Tally, skipped: u64, ran: Result<()>) -> Result<()> {
    ran?;
    if tally.passed == 0 {
        bail!("no test has this in its name: {}", options.filter.as_deref().unwrap_or_default());
    }
    if skipped > 0 && !options.without_asterisk {
        bail!(
            "{skipped} tests were skipped because a real Asterisk cannot be had here: see the way \
             out above, or allow it by --without-asterisk"
        );
    }
    Ok(())
}
