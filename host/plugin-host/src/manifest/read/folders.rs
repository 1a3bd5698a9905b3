//! `files`: folders of this machine that a plugin sees.

use super::{Node, Reader};
use crate::grants::Folder;
use std::ops::Range;
use toml::de::DeTable;

impl Reader<'_> {
    /// `[{ path = "/var/spool/asterisk/monitor", mode = "ro" }]`
    pub(super) fn folders(&mut self, value: &Node<'_>) -> Vec<Folder> {
        let key = &self.key("files");
        let example = "write [{ path = \"/var/spool/asterisk/monitor\", mode = \"ro\" }]";
        let tables = self.tables(key, value, example);
        tables.into_iter().filter_map(|(table, at)| self.folder(key, at, table)).collect()
    }

    fn folder(&mut self, key: &str, at: Range<usize>, table: &DeTable<'_>) -> Option<Folder> {
        let (mut path, mut is_writable) = (None, false);
        for (name, value) in table {
            let text = value.get_ref().as_str();
            match (name.get_ref().as_ref(), text) {
                ("path", Some(text)) if Folder::is_path(text) => path = Some(text.to_owned()),
                ("path", _) => self.mistake(
                    value.span(),
                    &format!("{key}.path"),
                    "must be a folder's whole path, like \"/var/spool/asterisk/monitor\", without . \
                     and .. and without / at its end",
                ),
                ("mode", Some("ro")) => {}
                ("mode", Some("rw")) => is_writable = true,
                ("mode", _) => self.mistake(
                    value.span(),
                    &format!("{key}.mode"),
                    "must be \"ro\" (it reads) or \"rw\" (it writes and removes, too)",
                ),
                (other, _) => {
                    let name = format!("{key}.{other}");
                    self.mistake(value.span(), &name, "unknown; there are path and mode");
                }
            }
        }
        if !table.iter().any(|(key, _)| key.get_ref() == "path") {
            self.mistake(at, key, "path is missing");
        }
        Some(Folder { path: path?, is_writable })
    }
}

#[cfg(test)]
mod tests {
    use crate::manifest::Manifest;

    #[test]
    fn a_folder_is_named_by_its_whole_path() {
        let parse = |files: &str| Manifest::parse(&format!("[grants]\nfiles = {files}"));
        let manifest = parse("[{ path = \"/a/b c\" }, { path = \"/d\", mode = \"rw\" }]").unwrap();
        let folders = manifest.grants.files.unwrap();
        let told: Vec<_> = folders.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["\"/a/b c\"", "\"/d\" for writing"]);
        for (files, why) in [
            ("\"/a\"", "must be a list"),
            ("[\"/a\"]", "must be a table"),
            ("[{ mode = \"ro\" }]", "path is missing"),
            ("[{ path = \"a\" }]", "whole path"),
            ("[{ path = \"/\" }]", "whole path"),
            ("[{ path = \"/a/\" }]", "whole path"),
            ("[{ path = \"/a/../b\" }]", "whole path"),
            ("[{ path = \"/a/./b\" }]", "whole path"),
            ("[{ path = \"/a\\nb\" }]", "whole path"),
            ("[{ path = 7 }]", "whole path"),
            ("[{ path = \"/a\", mode = \"w\" }]", "\"ro\""),
            ("[{ path = \"/a\", mode = true }]", "\"ro\""),
            ("[{ path = \"/a\", name = \"b\" }]", "there are path and mode"),
        ] {
            let mistakes = parse(files).unwrap_err();
            assert_eq!((mistakes.len(), mistakes[0].line), (1, 2), "{files}: {mistakes:?}");
            assert!(mistakes[0].message.contains(why), "{files}: {}", mistakes[0]);
        }
    }
}
