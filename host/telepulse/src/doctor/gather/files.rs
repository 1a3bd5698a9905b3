//! Asterisk's own files, where this is its machine.

use crate::doctor::{
    conf::{self, Section},
    facts::{FileFacts, ServerFacts},
};
use std::{fs, net::IpAddr, path::Path};

/// How deep files may include others.
const DEPTH: usize = 5;
/// The most bytes of a file that is read.
const LARGEST: u64 = 4 << 20;

/// Reads what the server itself did not tell, and what it never tells.
pub(super) fn read(facts: &mut ServerFacts, folder: &Path, our_address: Option<IpAddr>) {
    let path = folder.join("manager.conf");
    let mut sections = conf::parse(&text(&path, folder, DEPTH));
    let ours = facts.settings.secret.expose().to_owned();
    let mut is_secret_right = None;
    for section in &mut sections {
        let secret = section.take_secret();
        if section.name == facts.settings.username {
            is_secret_right = secret.map(|secret| secret == ours);
        }
    }
    let users = sections.iter().map(|section| section.name.clone());
    let users = users.filter(|name| name != "general").collect();
    facts.manager.file = Some(FileFacts { path, users, is_secret_right, our_address });
    let named = |sections: &[Section], name: &str| {
        sections.iter().rev().find(|section| section.name == name).cloned()
    };
    let manager = &mut facts.manager;
    manager.general = manager.general.take().or_else(|| named(&sections, "general"));
    manager.user = manager.user.take().or_else(|| named(&sections, &facts.settings.username));
    let (Some(ari), Some(settings)) = (&mut facts.ari, &facts.settings.ari) else { return };
    let others = |name: &str| {
        let mut sections = conf::parse(&text(&folder.join(name), folder, DEPTH));
        for section in &mut sections {
            drop(section.take_secret());
        }
        sections
    };
    ari.http = ari.http.take().or_else(|| named(&others("http.conf"), "general"));
    let sections = others("ari.conf");
    ari.general = ari.general.take().or_else(|| named(&sections, "general"));
    ari.user = ari.user.take().or_else(|| named(&sections, &settings.username));
}

/// A file's text with what it includes; what cannot be read is left out, as Asterisk does with
/// `#tryinclude`.
fn text(path: &Path, folder: &Path, depth: usize) -> String {
    let is_small = fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() <= LARGEST);
    let Some(bytes) = is_small.then(|| fs::read(path).ok()).flatten() else { return String::new() };
    let whole = String::from_utf8_lossy(&bytes);
    let mut text = String::with_capacity(whole.len());
    for line in whole.lines() {
        let name = line.strip_prefix("#include").or_else(|| line.strip_prefix("#tryinclude"));
        match name {
            Some(name) if depth > 0 => {
                let name = name.trim().trim_matches(['"', '<', '>']);
                text += &self::text(&folder.join(name), folder, depth - 1);
            }
            _ => text += line,
        }
        text.push('\n');
    }
    text
}
