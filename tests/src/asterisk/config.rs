//! The configuration files of an instance, from the templates in `tests/asterisk`.

use std::fmt::Write as _;
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;

use anyhow::{Context, Result};

use crate::ports;
use crate::template::fill;

/// The extensions that are phones at a fixed address.
pub const EXTENSIONS: RangeInclusive<u16> = 101..=112;

/// The extensions that are phones wherever they register from.
pub const REGISTERING: RangeInclusive<u16> = 121..=124;

/// All phones.
fn all() -> impl Iterator<Item = u16> {
    EXTENSIONS.chain(REGISTERING)
}

macro_rules! templates {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../asterisk/", $name)))),*]
    };
}

/// File name and template, one for each file in `tests/asterisk`.
const TEMPLATES: [(&str, &str); 16] = templates![
    "ari.conf",
    "asterisk.conf",
    "cdr.conf",
    "confbridge.conf",
    "extensions.conf",
    "features.conf",
    "http.conf",
    "indications.conf",
    "logger.conf",
    "manager.conf",
    "modules.conf",
    "musiconhold.conf",
    "pjsip.conf",
    "queues.conf",
    "res_parking.conf",
    "rtp.conf",
];

/// The password of the ARI user `telepulse`.
pub(super) const ARI_PASSWORD: &str = "another secret for tests";

/// What ARI takes beyond the modules that every instance has. Without `res_stasis_device_state`: with it ARI
/// can hang for ever when a client goes (asterisk/asterisk#2170), as it does here once in a few runs.
const ARI_MODULES: [&str; 11] = [
    "app_stasis",
    "res_ari",
    "res_ari_applications",
    "res_ari_channels",
    "res_ari_events",
    "res_ari_model",
    "res_stasis_answer",
    "res_stasis_playback",
    "res_stasis_recording",
    "res_stasis_snoop",
    "res_websocket_client",
];

/// What may differ from one instance to the next; the default suits most tests.
#[derive(Debug, Clone)]
pub struct Options {
    /// `systemname`: goes into every `Uniqueid` as a prefix, and into `SystemName`.
    pub system_name: String,
    /// The secret of the AMI user `telepulse`.
    pub secret: String,
    /// The event classes that `telepulse` may read (manager.conf, `read`).
    pub read: String,
    /// Further phones with hints, from 2000 on, which nobody ever registers: a large site.
    pub crowd: u16,
    /// Further files of its configuration: name and content.
    pub files: Vec<(String, String)>,
    /// Further lines for `[general]` of manager.conf, such as `authlimit = 5`; `{etc}` stands for
    /// the folder of the configuration.
    pub manager_general: Vec<String>,
    /// Further lines for the user `telepulse`, such as `writetimeout = 5000`.
    pub manager_user: Vec<String>,
    /// Seconds between OPTIONS to the phones; 0 asks never, and all count as reachable.
    pub qualify_seconds: u32,
    /// Calls after which a phone counts as busy (`device_state_busy_at`); 0: never.
    pub busy_at: u32,
    /// Seconds after which a parked call returns.
    pub parking_seconds: u32,
    /// Whether there is ARI, with the HTTP server that it needs.
    pub ari: bool,
    /// Further lines for http.conf, such as `tlsenable = yes`; `{etc}` stands for the folder of the
    /// configuration.
    pub http: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            system_name: String::from("tp"),
            secret: String::from("a secret for tests"),
            read: String::from("system,call,agent,user,reporting"),
            crowd: 0,
            files: Vec::new(),
            manager_general: Vec::new(),
            manager_user: Vec::new(),
            qualify_seconds: 0,
            busy_at: 0,
            parking_seconds: 45,
            ari: false,
            http: Vec::new(),
        }
    }
}

/// Where an instance listens, and where its phones are expected; all on 127.0.0.1.
#[derive(Debug, Clone)]
pub(super) struct Ports {
    pub(super) manager: u16,
    pub(super) sip: u16,
    pub(super) http: u16,
    pub(super) trunk: u16,
    /// Extension and port of each phone.
    pub(super) phones: Vec<(u16, u16)>,
}

impl Ports {
    pub(super) fn pick() -> Result<Self> {
        Ok(Self {
            manager: ports::free()?,
            sip: ports::free()?,
            http: ports::free()?,
            trunk: ports::free()?,
            phones: all()
                .map(|extension| Ok((extension, ports::free()?)))
                .collect::<Result<_>>()?,
        })
    }
}

/// Writes the folders and files of an instance into `dir`, which Asterisk sees as `seen_as`.
pub(super) fn write(
    dir: &Path,
    seen_as: &str,
    options: &Options,
    ports: &Ports,
    auditor_secret: &str,
) -> Result<()> {
    for folder in ["etc", "run", "db", "spool/tmp", "log", "moh"] {
        let path = dir.join(folder);
        fs::create_dir_all(&path).with_context(|| format!("creating {}", path.display()))?;
    }
    let (rtp_start, rtp_end) = ports::rtp_range()?;
    let manager_general = options.manager_general.join("\n");
    let values = [
        ("dir", seen_as),
        ("system_name", &options.system_name),
        ("secret", &options.secret),
        ("auditor_secret", auditor_secret),
        ("read", &options.read),
        ("manager_general", &manager_general.replace("{etc}", &format!("{seen_as}/etc"))),
        ("manager_user", &options.manager_user.join("\n")),
        ("qualify_seconds", &options.qualify_seconds.to_string()),
        ("busy_at", &options.busy_at.to_string()),
        ("parking_seconds", &options.parking_seconds.to_string()),
        ("manager_port", &ports.manager.to_string()),
        ("ari", if options.ari { "yes" } else { "no" }),
        ("ari_password", ARI_PASSWORD),
        ("ari_modules", &ari_modules(options.ari)),
        ("http", &options.http.join("\n").replace("{etc}", &format!("{seen_as}/etc"))),
        ("http_port", &ports.http.to_string()),
        ("sip_port", &ports.sip.to_string()),
        ("trunk_port", &ports.trunk.to_string()),
        ("rtp_start", &rtp_start.to_string()),
        ("rtp_end", &rtp_end.to_string()),
        ("phones", &phones(ports, options.crowd)),
        ("hints", &hints(options.crowd)),
    ];
    for (name, template) in TEMPLATES {
        let text = fill(template, &values).with_context(|| format!("template {name}"))?;
        fs::write(dir.join("etc").join(name), text).with_context(|| format!("writing {name}"))?;
    }
    for (name, content) in &options.files {
        fs::write(dir.join("etc").join(name), content)
            .with_context(|| format!("writing {name}"))?;
    }
    fs::write(dir.join("moh/hum.sln"), hum()).context("writing music on hold")
}

fn ari_modules(ari: bool) -> String {
    let lines: Vec<String> =
        ARI_MODULES.iter().filter(|_| ari).map(|name| format!("load => {name}.so")).collect();
    lines.join("\n")
}

/// The numbers of the phones that never register.
fn crowd(count: u16) -> impl Iterator<Item = u16> {
    2000..2000 + count
}

fn phones(ports: &Ports, others: u16) -> String {
    let numbers = ports.phones.iter().copied().chain(crowd(others).map(|number| (number, 0)));
    numbers.fold(String::new(), |mut text, (extension, port)| {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "[{extension}](phone)\n\
             aors = {extension}\n\
             callerid = \"Phone {extension}\" <{extension}>\n\
             [{extension}](phone-aor)\n"
        );
        if EXTENSIONS.contains(&extension) {
            let _ = writeln!(text, "contact = sip:{extension}@127.0.0.1:{port}");
        }
        text
    })
}

fn hints(others: u16) -> String {
    all().chain(crowd(others)).fold(String::new(), |mut text, extension| {
        let hint = format!("PJSIP/{extension},CustomPresence:{extension}");
        let _ = writeln!(text, "exten => {extension},hint,{hint}");
        text
    })
}

/// Ten seconds of a soft triangle wave, signed 16 bit at 8 kHz: the distribution brings no music.
fn hum() -> Vec<u8> {
    (0..80_000_i32)
        .map(|sample| ((sample % 40) - 20).abs() * 60 - 600)
        .flat_map(|level| i16::try_from(level).unwrap_or_default().to_le_bytes())
        .collect()
}
