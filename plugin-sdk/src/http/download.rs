//! Files as answers: whole or in part, and not again to who has them.

use super::{
    FilePart, Request, Response,
    range::{Wanted, wanted},
};
use std::{fs, io, path::PathBuf, time::UNIX_EPOCH};
use telepulse_language::Timestamp;

/// A file to be sent, with bytes before it if it needs some. What a request wants of it is in
/// [`Download::answer`]: `Range` and `If-Range`, `If-None-Match`, `If-Modified-Since` and `If-Match`
/// (RFC 9110). The host reads it while it sends it.
#[derive(Clone, Debug)]
pub struct Download {
    path: PathBuf,
    head: Vec<u8>,
    /// Of the file.
    length: u64,
    /// When it was written last: nanoseconds since 1970.
    modified_ns: u64,
    content_type: String,
}

impl Download {
    /// Looks at a file; one that is no regular file is not there.
    pub fn of(path: impl Into<PathBuf>, content_type: impl Into<String>) -> io::Result<Self> {
        let path = path.into();
        let about = fs::metadata(&path)?;
        if !about.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let since = about.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self {
            path,
            head: Vec::new(),
            length: about.len(),
            modified_ns: u64::try_from(since.as_nanos()).unwrap_or(u64::MAX),
            content_type: content_type.into(),
        })
    }

    /// Puts bytes before the file, such as a header that a player needs. They are made of the file's length.
    #[must_use]
    pub fn with_head(mut self, head: impl FnOnce(u64) -> Vec<u8>) -> Self {
        self.head = head(self.length);
        self
    }

    /// The answer to a `GET` or a `HEAD`.
    pub fn answer(&self, request: &Request) -> Response {
        let length = self.head.len() as u64 + self.length;
        let response = match self.standing(request) {
            Some(status) => self.described(status),
            None => match self.wanted(request, length) {
                Wanted::All => self.part(200, 0, length),
                Wanted::Part { from, length: part } => {
                    let last = from + part - 1;
                    let content_range = format!("bytes {from}-{last}/{length}");
                    self.part(206, from, part).with_header("content-range", content_range)
                }
                Wanted::Nothing => {
                    let content_range = format!("bytes */{length}");
                    self.described(416).with_header("content-range", content_range)
                }
            },
        };
        if request.method == "HEAD" {
            Response { body: Vec::new(), file: None, ..response }
        } else {
            response
        }
    }

    /// A strong validator: whoever writes to the file changes it.
    fn tag(&self) -> String {
        format!("\"{:x}-{:x}\"", self.modified_ns, self.length)
    }

    fn modified(&self) -> String {
        http_date(self.modified_ns / 1_000_000_000)
    }

    /// The status of an answer without content, where what the asker has, or believes, decides.
    fn standing(&self, request: &Request) -> Option<u16> {
        let lists = |tags: &str| {
            let mut tags = tags.split(',').map(|tag| tag.trim().trim_start_matches("W/"));
            tags.any(|tag| tag == "*" || tag == self.tag())
        };
        if request.header("if-match").is_some_and(|tags| !lists(tags)) {
            return Some(412);
        }
        let is_known = match request.header("if-none-match") {
            Some(tags) => lists(tags),
            None => request.header("if-modified-since") == Some(&*self.modified()),
        };
        is_known.then_some(304)
    }

    fn wanted(&self, request: &Request, length: u64) -> Wanted {
        let is_same = |validator: &str| validator == self.tag() || validator == self.modified();
        if request.method != "GET" || request.header("if-range").is_some_and(|it| !is_same(it)) {
            return Wanted::All;
        }
        wanted(request.header("range"), length)
    }

    fn described(&self, status: u16) -> Response {
        Response::empty(status)
            .with_header("accept-ranges", "bytes")
            .with_header("etag", self.tag())
            .with_header("last-modified", self.modified())
    }

    fn part(&self, status: u16, from: u64, length: u64) -> Response {
        let head = self.head.len() as u64;
        let until = from + length;
        let place = |at: u64| usize::try_from(at.min(head)).unwrap_or(self.head.len());
        let file = (until > head).then(|| FilePart {
            path: self.path.clone(),
            from: from.saturating_sub(head),
            length: until - from.max(head),
        });
        let response = self
            .described(status)
            .with_header("content-type", &*self.content_type)
            .with_header("content-length", length.to_string());
        Response { body: self.head[place(from)..place(until)].to_vec(), file, ..response }
    }
}

/// `Fri, 20 Nov 2026 22:08:00 GMT`
fn http_date(seconds: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let text = Timestamp(seconds.saturating_mul(1000)).to_string();
    let month: usize = text[5..7].parse().unwrap_or(1);
    let weekday = usize::try_from(seconds / 86_400 % 7).unwrap_or(0);
    let (year, month) = (&text[..4], MONTHS[(month - 1) % 12]);
    format!("{}, {} {month} {year} {} GMT", DAYS[weekday], &text[8..10], &text[11..19])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of ten bytes, for one test.
    struct File(PathBuf);

    impl File {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
            fs::write(&path, b"0123456789").unwrap();
            Self(path)
        }

        fn download(&self) -> Download {
            Download::of(&self.0, "audio/wav").unwrap()
        }
    }

    impl Drop for File {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    fn get(headers: &[(&str, &str)]) -> Request {
        let request = Request::new("GET", "/");
        headers.iter().fold(request, |request, (name, value)| request.with_header(name, value))
    }

    fn part(response: &Response) -> (u16, u64, u64) {
        let file = response.file.as_ref().map_or((0, 0), |file| (file.from, file.length));
        (response.status, file.0, file.1)
    }

    #[test]
    fn all_or_a_part_is_sent_with_what_says_which() {
        let file = File::new("download-parts");
        let download = file.download();
        let all = download.answer(&get(&[]));
        assert_eq!(part(&all), (200, 0, 10));
        assert_eq!(all.header("content-length"), Some("10"));
        assert_eq!(all.header("accept-ranges"), Some("bytes"));
        let some = download.answer(&get(&[("range", "bytes=2-4")]));
        assert_eq!(part(&some), (206, 2, 3));
        assert_eq!(some.header("content-range"), Some("bytes 2-4/10"));
        assert_eq!(some.header("content-type"), Some("audio/wav"));
        let none = download.answer(&get(&[("range", "bytes=10-")]));
        assert_eq!((part(&none), none.header("content-range")), ((416, 0, 0), Some("bytes */10")));
        let head = Request { method: "HEAD".to_owned(), ..get(&[("range", "bytes=2-4")]) };
        let head = download.answer(&head);
        assert_eq!((part(&head), head.header("content-length")), ((200, 0, 0), Some("10")));
    }

    #[test]
    fn what_is_put_before_the_file_counts() {
        let file = File::new("download-head");
        let download = file.download().with_head(|length| format!("[{length}]").into_bytes());
        for (range, body, rest) in [
            ("bytes=0-", "[10]", (206, 0, 10)),
            ("bytes=0-3", "[10]", (206, 0, 0)),
            ("bytes=1-4", "10]", (206, 0, 1)),
            ("bytes=6-7", "", (206, 2, 2)),
            ("bytes=-3", "", (206, 7, 3)),
        ] {
            let response = download.answer(&get(&[("range", range)]));
            assert_eq!((&*response.body, part(&response)), (body.as_bytes(), rest), "{range}");
        }
    }

    #[test]
    fn who_has_it_gets_nothing_and_a_part_only_of_the_same() {
        let file = File::new("download-conditions");
        let download = file.download();
        let told = download.answer(&get(&[]));
        let (tag, modified) = (told.header("etag").unwrap(), told.header("last-modified").unwrap());
        let range = ("range", "bytes=1-1");
        for (headers, status) in [
            (&[("if-none-match", tag)][..], 304),
            (&[("if-none-match", "\"a\", W/\"b\"")], 200),
            (&[("if-none-match", "*")], 304),
            (&[("if-modified-since", modified)], 304),
            (&[("if-modified-since", "Thu, 01 Jan 1970 00:00:00 GMT")], 200),
            (&[("if-none-match", "\"a\""), ("if-modified-since", modified)], 200),
            (&[("if-match", tag)], 200),
            (&[("if-match", "\"a\"")], 412),
            (&[range, ("if-range", tag)], 206),
            (&[range, ("if-range", modified)], 206),
            (&[range, ("if-range", "\"a\"")], 200),
        ] {
            assert_eq!(download.answer(&get(headers)).status, status, "{headers:?}");
        }
    }

    #[test]
    fn what_is_no_file_is_not_there() {
        assert!(Download::of(std::env::temp_dir(), "audio/wav").is_err());
        assert!(Download::of("/nowhere/at/all", "audio/wav").is_err());
    }

    #[test]
    fn a_date_is_written_as_http_wants_it() {
        assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http_date(1_795_212_480), "Fri, 20 Nov 2026 22:08:00 GMT");
    }
}
