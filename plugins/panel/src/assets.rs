//! The files of the page, as bytes of the component.

/// A file, and the same compressed where that makes it smaller.
#[derive(Debug)]
pub(crate) struct Asset {
    /// The path under which it is asked for.
    pub(crate) path: &'static str,
    /// Its entity tag.
    pub(crate) tag: &'static str,
    pub(crate) plain: &'static [u8],
    pub(crate) brotli: Option<&'static [u8]>,
    pub(crate) gzip: Option<&'static [u8]>,
}

/// All of them.
pub(crate) static ALL: &[Asset] = &include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The file at a path; the page itself is at `/`.
pub(crate) fn find(path: &str) -> Option<&'static Asset> {
    let path = if path == "/" { "/index.html" } else { path };
    ALL.iter().find(|asset| asset.path == path)
}

impl Asset {
    /// Its media type, by the ending of its name.
    pub(crate) fn media_type(&self) -> &'static str {
        match self.path.rsplit('.').next() {
            Some("html") => "text/html; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            Some("json" | "webmanifest") => "application/json",
            _ => "application/octet-stream",
        }
    }

    /// Whether its name changes with its content: then it never has to be asked for again.
    pub(crate) fn is_for_ever(&self) -> bool {
        self.path.starts_with("/assets/")
    }

    /// What of it a browser takes that accepts these encodings, and how that is encoded.
    pub(crate) fn encoded(&self, accepted: &str) -> (&'static [u8], Option<&'static str>) {
        let takes = |name: &str| accepts(accepted, name);
        match (self.brotli, self.gzip) {
            (Some(bytes), _) if takes("br") => (bytes, Some("br")),
            (_, Some(bytes)) if takes("gzip") => (bytes, Some("gzip")),
            _ => (self.plain, None),
        }
    }
}

/// Whether `Accept-Encoding` (RFC 9110, section 12.5.3) names a coding, or all, with a weight above zero.
fn accepts(header: &str, coding: &str) -> bool {
    let weight = |name: &str| {
        header.split(',').find_map(|part| {
            let (known, parameters) = part.split_once(';').unwrap_or((part, ""));
            known.trim().eq_ignore_ascii_case(name).then(|| {
                let weight = parameters.trim().strip_prefix("q=").map(str::trim);
                weight.is_none_or(|weight| weight.parse().is_ok_and(|weight: f32| weight > 0.0))
            })
        })
    };
    weight(coding).or_else(|| weight("*")).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoding_is_taken_by_name_and_weight() {
        for (header, brotli, gzip) in [
            ("", false, false),
            ("gzip, deflate, br, zstd", true, true),
            ("gzip;q=1.0, br;q=0", false, true),
            ("GZIP", false, true),
            ("*", true, true),
            ("br;q=0.0, *;q=0.5", false, true),
            ("identity", false, false),
            ("br;q=nonsense", false, false),
        ] {
            assert_eq!(
                (accepts(header, "br"), accepts(header, "gzip")),
                (brotli, gzip),
                "{header}"
            );
        }
    }
}
