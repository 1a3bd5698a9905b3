//! Where a recording lies, and what a player is sent.

use crate::{entry::File, settings::Settings};
use std::{
    io,
    path::{Component, Path, PathBuf},
};
use telepulse_plugin_sdk::{
    http::{Download, Request, Response},
    language::RecordMode,
};

/// Samples a second, of bare samples as Asterisk writes them.
const RATE: u32 = 8_000;
/// Bytes of one sample.
const SAMPLE: u16 = 2;
/// Before the samples, in a WAV file.
const HEADER: u32 = 44;

/// Where a file lies that Asterisk has named: below the folder of its server, or it is refused.
pub(crate) fn path(settings: &Settings, server: &str, file: &str) -> Result<PathBuf, String> {
    let folder = settings.folders.iter().find(|folder| folder.is_of(server)).ok_or_else(|| {
        format!("no folder of server {server:?} is known: name it in [[settings.folders]]")
    })?;
    let named = Path::new(file);
    let below = if named.is_absolute() {
        named.strip_prefix(folder.as_named()).map_err(|_| {
            format!("{file:?} is not below {:?} ([[settings.folders]] asterisk)", folder.as_named())
        })?
    } else {
        named
    };
    let is_plain = |part| matches!(part, Component::Normal(_));
    if below.as_os_str().is_empty() || !below.components().all(is_plain) {
        return Err(format!("{file:?} is no file below {:?}", folder.as_named()));
    }
    Ok(Path::new(&folder.path).join(below))
}

/// What kind of sound it is.
fn content_type(file: &File) -> &'static str {
    let ending = file.file.rsplit_once('.').map_or("", |(_, ending)| ending);
    match ending {
        "wav" | "WAV" => "audio/wav",
        "raw" if is_stereo(file) => "audio/wav",
        "gsm" => "audio/x-gsm",
        "ulaw" => "audio/basic",
        "mp3" => "audio/mpeg",
        "ogg" => "audio/ogg",
        _ => "application/octet-stream",
    }
}

fn is_stereo(file: &File) -> bool {
    file.mode == Some(RecordMode::Stereo)
}

/// Answers with a file's sound, or with a part of it.
pub(crate) fn answer(request: &Request, path: PathBuf, file: &File) -> io::Result<Response> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let download = Download::of(path, content_type(file))?;
    let (download, name) = if is_stereo(file) {
        // No player knows what bare samples are.
        (download.with_head(header), name.replace(".raw", ".wav"))
    } else {
        (download, name)
    };
    let plain = name.replace(|letter: char| !letter.is_ascii_graphic() || letter == '"', "_");
    let disposition = format!("inline; filename=\"{plain}\"");
    Ok(download
        .answer(request)
        .with_header("content-disposition", disposition)
        .with_header("cache-control", "private, no-cache")
        .with_header("x-content-type-options", "nosniff"))
}

/// What makes a WAV file of samples of two channels.
fn header(length: u64) -> Vec<u8> {
    let channels: u16 = 2;
    let length = u32::try_from(length).unwrap_or(u32::MAX - HEADER);
    let frame = channels * SAMPLE;
    let mut header = Vec::new();
    header.extend_from_slice(b"RIFF");
    header.extend_from_slice(&(length + HEADER - 8).to_le_bytes());
    header.extend_from_slice(b"WAVEfmt ");
    header.extend_from_slice(&16_u32.to_le_bytes());
    header.extend_from_slice(&1_u16.to_le_bytes());
    header.extend_from_slice(&channels.to_le_bytes());
    header.extend_from_slice(&RATE.to_le_bytes());
    header.extend_from_slice(&(RATE * u32::from(frame)).to_le_bytes());
    header.extend_from_slice(&frame.to_le_bytes());
    header.extend_from_slice(&(SAMPLE * 8).to_le_bytes());
    header.extend_from_slice(b"data");
    header.extend_from_slice(&length.to_le_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn settings() -> Settings {
        serde_json::from_value(json!({"folders": [
            {"server": "pbx1", "path": "/srv/pbx1", "asterisk": "/var/spool/asterisk/monitor"},
            {"server": "pbx2", "path": "/srv/pbx2"},
        ]}))
        .unwrap()
    }

    #[test]
    fn a_file_is_below_its_servers_folder() {
        let found = |server: &str, file: &str| path(&settings(), server, file).ok();
        let here = |path: &str| Some(PathBuf::from(path));
        let asterisk = "/var/spool/asterisk/monitor/2026/a.wav";
        assert_eq!(found("pbx1", asterisk), here("/srv/pbx1/2026/a.wav"));
        assert_eq!(found("pbx1", "2026/a.wav"), here("/srv/pbx1/2026/a.wav"));
        assert_eq!(found("pbx2", "/srv/pbx2/a.wav"), here("/srv/pbx2/a.wav"));
        for (server, file) in [
            ("pbx3", "a.wav"),
            ("pbx1", "/srv/pbx1/a.wav"),
            ("pbx1", "/var/spool/asterisk/monitor"),
            ("pbx1", "/var/spool/asterisk/monitor/../secret"),
            ("pbx1", "/var/spool/asterisk/monitorx/a.wav"),
            ("pbx1", "../a.wav"),
            ("pbx1", "a/../../b.wav"),
            ("pbx1", "./a.wav"),
            ("pbx1", "/etc/passwd"),
            ("pbx1", ""),
        ] {
            assert_eq!(found(server, file), None, "{server} {file}");
        }
    }

    #[test]
    fn samples_get_a_header_that_players_know() {
        let header = header(3200);
        assert_eq!(u32::try_from(header.len()), Ok(HEADER));
        assert_eq!((&header[..4], &header[4..8]), (&b"RIFF"[..], &3236_u32.to_le_bytes()[..]));
        assert_eq!(header[28..32], 32_000_u32.to_le_bytes());
        assert_eq!(header[40..44], 3200_u32.to_le_bytes());
    }
}
