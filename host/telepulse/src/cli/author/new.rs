//! `plugins new`: a first plugin in a folder of its own.

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use plugin_host::PluginName;
use std::{
    env, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

#[derive(Args)]
pub(in crate::cli) struct New {
    /// The plugin's name, and its folder's.
    name: String,
    /// The language that it is written in.
    #[arg(long, value_enum, default_value = "rust")]
    lang: Language,
    /// Where TelePulse's `plugin-sdk` lies, for Rust; looked for in the folders above.
    #[arg(long, value_name = "DIR")]
    sdk: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Language {
    Rust,
    Javascript,
    Python,
    C,
}

type File = (&'static str, &'static [u8]);

/// Files of the project, to be put into the folder of a plugin.
macro_rules! files {
    ($($to:literal = $from:literal),* $(,)?) => {
        &[$(($to, include_bytes!(concat!("../../../../../", $from)))),*]
    };
}

const RUST: &[File] = files![
    "Cargo.toml" = "plugin-sdk/templates/rust/Cargo.toml",
    "README.md" = "plugin-sdk/templates/rust/README.md",
    "manifest.toml" = "plugin-sdk/templates/manifest.toml",
    "src/lib.rs" = "plugin-sdk/templates/rust/src/lib.rs",
    "telepulse-plugin.toml" = "plugin-sdk/templates/rust/telepulse-plugin.toml",
];
const JAVASCRIPT: &[File] = files![
    "README.md" = "plugin-sdk/templates/javascript/README.md",
    "manifest.toml" = "plugin-sdk/templates/manifest.toml",
    "package.json" = "plugin-sdk/templates/javascript/package.json",
    "plugin.js" = "plugin-sdk/templates/javascript/plugin.js",
    "telepulse-plugin.toml" = "plugin-sdk/templates/javascript/telepulse-plugin.toml",
];
const PYTHON: &[File] = files![
    "README.md" = "plugin-sdk/templates/python/README.md",
    "manifest.toml" = "plugin-sdk/templates/manifest.toml",
    "plugin.py" = "plugin-sdk/templates/python/plugin.py",
    "requirements.txt" = "plugin-sdk/templates/python/requirements.txt",
    "telepulse-plugin.toml" = "plugin-sdk/templates/python/telepulse-plugin.toml",
];
const C: &[File] = files![
    "Makefile" = "plugin-sdk/templates/c/Makefile",
    "README.md" = "plugin-sdk/templates/c/README.md",
    "manifest.toml" = "plugin-sdk/templates/manifest.toml",
    "sdk/simple_subscriber_plugin.c" = "plugin-sdk/c/simple_subscriber_plugin.c",
    "sdk/simple_subscriber_plugin.h" = "plugin-sdk/c/simple_subscriber_plugin.h",
    "sdk/simple_subscriber_plugin_component_type.o" =
        "plugin-sdk/c/simple_subscriber_plugin_component_type.o",
    "src/plugin.c" = "plugin-sdk/templates/c/src/plugin.c",
    "telepulse-plugin.toml" = "plugin-sdk/templates/c/telepulse-plugin.toml",
];
/// For languages whose tools read the interface itself.
const WIT: &[File] = files![
    "wit/deps/telepulse-plugin/bus.wit" = "wit/bus.wit",
    "wit/deps/telepulse-plugin/commands.wit" = "wit/commands.wit",
    "wit/deps/telepulse-plugin/connections.wit" = "wit/connections.wit",
    "wit/deps/telepulse-plugin/fetch.wit" = "wit/fetch.wit",
    "wit/deps/telepulse-plugin/http.wit" = "wit/http.wit",
    "wit/deps/telepulse-plugin/kv.wit" = "wit/kv.wit",
    "wit/deps/telepulse-plugin/metrics.wit" = "wit/metrics.wit",
    "wit/deps/telepulse-plugin/policy.wit" = "wit/policy.wit",
    "wit/deps/telepulse-plugin/types.wit" = "wit/types.wit",
    "wit/deps/telepulse-plugin/worlds.wit" = "wit/worlds.wit",
    "wit/world.wit" = "plugin-sdk/templates/wit/world.wit",
];

impl New {
    pub(in crate::cli) fn carry_out(self) -> anyhow::Result<()> {
        let Self { name, lang, sdk } = self;
        let name = PluginName::parse(&name)?;
        let folder = Path::new(name.as_str());
        if folder.exists() {
            bail!("{name} is there already: choose another name, or remove it");
        }
        let mut files: Vec<File> = match lang {
            Language::Rust => RUST,
            Language::Javascript => JAVASCRIPT,
            Language::Python => PYTHON,
            Language::C => C,
        }
        .to_vec();
        if matches!(lang, Language::Javascript | Language::Python) {
            files.extend(WIT);
        }
        let sdk = match (lang, sdk) {
            (Language::Rust, None) => find_sdk().context(
                "no folder above this one has plugin-sdk: say by --sdk where TelePulse's lies",
            )?,
            (Language::Rust, Some(sdk)) => {
                fs::canonicalize(&sdk).context(sdk.display().to_string())?
            }
            _ => PathBuf::new(),
        };
        for (to, content) in files {
            let path = folder.join(to);
            let write = || -> io::Result<()> {
                fs::create_dir_all(path.parent().unwrap_or(folder))?;
                fs::write(&path, adapted(content, &name, &sdk))
            };
            write().with_context(|| path.display().to_string())?;
        }
        let told = format!(
            "{name}/ is a plugin that pops up a page for each call.\n{name}/README.md says what its \
             tools need; then: cd {name} && telepulse plugins dev"
        );
        Ok(writeln!(io::stdout(), "{told}")?)
    }
}

/// A file's text with the plugin's name in it; what is no text stays as it is.
fn adapted(content: &[u8], name: &PluginName, sdk: &Path) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(content) else { return content.to_vec() };
    let snake = name.as_str().replace('-', "_");
    text.replace("my-plugin", name.as_str())
        .replace("my_plugin", &snake)
        .replace("\"../plugin-sdk\"", &format!("{:?}", sdk.display().to_string()))
        .into_bytes()
}

fn find_sdk() -> Option<PathBuf> {
    let here = env::current_dir().ok()?;
    let mut above = here.ancestors().map(|folder| folder.join("plugin-sdk"));
    above.find(|folder| folder.join("Cargo.toml").is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Tools that read the interface need all of it.
    #[test]
    fn the_whole_interface_goes_with_a_plugin() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let files: BTreeSet<String> = files.map(|name| name.into_string().unwrap()).collect();
        let deps =
            WIT.iter().filter_map(|(path, _)| path.strip_prefix("wit/deps/telepulse-plugin/"));
        assert_eq!(deps.map(str::to_owned).collect::<BTreeSet<_>>(), files);
    }
}
