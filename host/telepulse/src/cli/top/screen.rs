//! A terminal that is drawn over, and left as it was.

use super::view::Size;
use std::io::{self, Write as _};

/// Another page of the terminal, without a cursor.
const OPEN: &str = "\x1b[?1049h\x1b[?25l";
const CLOSE: &str = "\x1b[?25h\x1b[?1049l";
/// To the upper left corner.
const HOME: &str = "\x1b[H";
/// Blank to the end of the line; and of the page.
const REST: &str = "\x1b[K";
const BELOW: &str = "\x1b[J";
/// Where the terminal does not say how large it is.
const USUAL: Size = Size { width: 80, height: 24 };

/// The terminal while we draw on it.
pub(super) struct Screen(());

impl Screen {
    pub(super) fn open() -> io::Result<Self> {
        put(OPEN)?;
        Ok(Self(()))
    }

    /// How large it is now: windows are resized.
    #[expect(clippy::unused_self, reason = "there is none without")]
    pub(super) fn size(&self) -> Size {
        match rustix::termios::tcgetwinsize(io::stdout()) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
                Size { width: size.ws_col.into(), height: size.ws_row.into() }
            }
            _ => USUAL,
        }
    }

    /// Draws over what is there, line by line, so that nothing flickers.
    #[expect(clippy::unused_self, reason = "there is none without")]
    pub(super) fn draw(&mut self, lines: &[String]) -> io::Result<()> {
        let lines = lines.join(&format!("{REST}\r\n"));
        put(&format!("{HOME}{lines}{REST}{BELOW}"))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Nothing more can be done about a terminal that is gone.
        let _ = put(CLOSE);
    }
}

fn put(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
