//! `websocket` and `routes`: where a plugin listens.

use super::{Node, Reader, values::is_word};
use crate::grants::Mount;
use std::ops::Range;
use toml::de::DeTable;

impl Reader<'_> {
    pub(super) fn mounts(&mut self, key: &str, value: &Node<'_>) -> Vec<Mount> {
        let key = &self.key(key);
        let example = "write [{ listen = \"127.0.0.1:8083\", path = \"/v1\" }]";
        let tables = self.tables(key, value, example);
        tables.into_iter().filter_map(|(table, at)| self.mount(key, at, table)).collect()
    }

    fn mount(&mut self, key: &str, at: Range<usize>, table: &DeTable<'_>) -> Option<Mount> {
        let (mut listen, mut path, mut right) = (None, None, None);
        let is_route = key.ends_with("routes");
        for (name, value) in table {
            let text = value.get_ref().as_str();
            match name.get_ref().as_ref() {
                "listen" => match text.and_then(|text| text.parse().ok()) {
                    Some(address) => listen = Some(address),
                    None => self.mistake(
                        value.span(),
                        &format!("{key}.listen"),
                        "must be an IP address with a port, like \"127.0.0.1:8083\"",
                    ),
                },
                "path" => match text.filter(|text| is_path(text)) {
                    Some(text) => path = Some(text.to_owned()),
                    None => self.mistake(
                        value.span(),
                        &format!("{key}.path"),
                        "must begin with / and hold no space, ?, # or ..",
                    ),
                },
                "right" if is_route => match text.filter(|text| is_word(text)) {
                    Some(text) => right = Some(text.to_owned()),
                    None => self.mistake(
                        value.span(),
                        &format!("{key}.right"),
                        "must be a word that users' `allow` may have, like \"callData\"",
                    ),
                },
                other => {
                    let name = format!("{key}.{other}");
                    let known = if is_route { "listen, path and right" } else { "listen and path" };
                    self.mistake(value.span(), &name, format!("unknown; there are {known}"));
                }
            }
        }
        for name in ["listen", "path"] {
            if !table.iter().any(|(key, _)| key.get_ref() == name) {
                self.mistake(at.clone(), key, format!("{name} is missing"));
            }
        }
        Some(Mount { listen: listen?, path: path?, right })
    }
}

fn is_path(text: &str) -> bool {
    text.starts_with('/')
        && !text.contains("..")
        && text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'?' | b'#' | b'*'))
}

#[cfg(test)]
mod tests {
    use crate::manifest::Manifest;

    #[test]
    fn a_route_may_be_for_those_with_a_right() {
        let parse = |key: &str, right: &str| {
            let mount = format!("listen = \"127.0.0.1:8083\", path = \"/v1\", right = {right}");
            Manifest::parse(&format!("[grants]\n{key} = [{{ {mount} }}]"))
        };
        let manifest = parse("routes", "\"callData\"").unwrap();
        assert_eq!(manifest.grants.routes[0].right.as_deref(), Some("callData"));
        for (key, right, why) in [
            ("routes", "\"\"", "must be a word"),
            ("routes", "\"*\"", "must be a word"),
            ("routes", "\"dial:own\"", "must be a word"),
            ("routes", "7", "must be a word"),
            ("websocket", "\"callData\"", "there are listen and path"),
        ] {
            let mistakes = parse(key, right).unwrap_err();
            assert_eq!((mistakes.len(), mistakes[0].line), (1, 2), "{mistakes:?}");
            assert!(mistakes[0].message.contains(why), "{}", mistakes[0]);
        }
    }
}
