//! Records AMI sessions with a real Asterisk into `tests/recordings`: all scenarios, or those named.

mod calls;
mod facilities;
mod queues;
mod session;
mod words;

use std::process::ExitCode;

use anyhow::{Result, bail};
use telepulse_tests::asterisk::{Asterisk, Options, install};
use telepulse_tests::recording;

use session::Session;

/// Name, how Asterisk is configured, and what happens: one for each recording.
const SCENARIOS: &[Entry] = &[
    ("login", as_usual, |s| Box::pin(calls::login(s))),
    ("login-live", as_usual, |s| Box::pin(calls::login_live(s))),
    ("ext-call", as_usual, |s| Box::pin(calls::ext_call(s))),
    ("sip-call", as_usual, |s| Box::pin(calls::sip_call(s))),
    ("trunk-call", as_usual, |s| Box::pin(calls::trunk_call(s))),
    ("dialplan-events", with_dialplan, |s| Box::pin(calls::ext_call(s))),
    ("misleading-caller-id", as_usual, |s| Box::pin(calls::misleading_caller_id(s))),
    ("no-answer", as_usual, |s| Box::pin(calls::no_answer(s))),
    ("busy", as_usual, |s| Box::pin(calls::busy(s))),
    ("originate-failed", as_usual, |s| Box::pin(calls::originate_failed(s))),
    ("queue-call", as_usual, |s| Box::pin(queues::call(s))),
    ("queue-caller-hangs-up", as_usual, |s| Box::pin(queues::caller_hangs_up(s))),
    ("queue-pause", as_usual, |s| Box::pin(queues::pause(s))),
    ("queue-abandon", as_usual, |s| Box::pin(queues::abandon(s))),
    ("queue-ring-no-answer", as_usual, |s| Box::pin(queues::ring_no_answer(s))),
    ("queue-transfer", as_usual, |s| Box::pin(queues::transfer(s))),
    ("redirect", as_usual, |s| Box::pin(calls::redirect(s))),
    ("blind-transfer", as_usual, |s| Box::pin(calls::blind_transfer(s))),
    ("refer", as_usual, |s| Box::pin(calls::refer(s))),
    ("attended-transfer", as_usual, |s| Box::pin(calls::attended_transfer(s))),
    ("hold", as_usual, |s| Box::pin(calls::hold(s))),
    ("park", short_parking, |s| Box::pin(facilities::park(s))),
    ("confbridge", as_usual, |s| Box::pin(facilities::confbridge(s))),
    ("record-and-spy", as_usual, |s| Box::pin(facilities::record_and_spy(s))),
    ("pickup", as_usual, |s| Box::pin(facilities::pickup(s))),
    ("presence-and-user-event", as_usual, |s| Box::pin(facilities::presence_and_user_event(s))),
    ("qualify", qualified, |s| Box::pin(facilities::qualify(s))),
    ("register", as_usual, |s| Box::pin(facilities::register(s))),
    ("local-chain", as_usual, |s| Box::pin(calls::local_chain(s))),
    ("storm", as_usual, |s| Box::pin(calls::storm(s))),
    ("listen", as_usual, |s| Box::pin(words::listen(s))),
    ("channel-words", as_usual, |s| Box::pin(words::channel_words(s))),
    ("park-and-give-up", as_usual, |s| Box::pin(words::park_and_give_up(s))),
    ("consultation-fails", as_usual, |s| Box::pin(words::consultation_fails(s))),
    ("shutdown", as_usual, |s| Box::pin(facilities::shutdown(s))),
];

type Entry = (&'static str, fn(&mut Options), Scenario);

type Scenario = fn(&mut Session) -> std::pin::Pin<Box<dyn Future<Output = Result<()>> + '_>>;

fn as_usual(_: &mut Options) {}

fn with_dialplan(options: &mut Options) {
    options.read.push_str(",dialplan");
}

fn short_parking(options: &mut Options) {
    options.parking_seconds = 2;
}

fn qualified(options: &mut Options) {
    options.qualify_seconds = 1;
}

#[tokio::main]
async fn main() -> ExitCode {
    match record(&std::env::args().skip(1).collect::<Vec<_>>()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:?}");
            ExitCode::FAILURE
        }
    }
}

async fn record(wanted: &[String]) -> Result<()> {
    if let Some(name) = wanted.iter().find(|name| SCENARIOS.iter().all(|known| known.0 != *name)) {
        let names: Vec<_> = SCENARIOS.iter().map(|known| known.0).collect();
        bail!("there is no scenario {name}; there are: {}", names.join(", "));
    }
    let installation = install::ensure()?;
    for (name, configure, scenario) in SCENARIOS {
        if !wanted.is_empty() && !wanted.iter().any(|wish| wish == name) {
            continue;
        }
        let mut options = Options::default();
        configure(&mut options);
        let asterisk = Asterisk::start(&installation, options).await?;
        let mut session = Session::new(asterisk).await?;
        if let Err(error) = scenario(&mut session).await {
            session.recording().write(&std::env::temp_dir(), name)?;
            let tape = std::env::temp_dir().join(name);
            return Err(
                error.context(format!("scenario {name}; its tape is {}.amirec", tape.display()))
            );
        }
        let recording = session.end().await?;
        let size: usize = recording.received.iter().map(|chunk| chunk.bytes.len()).sum();
        recording.write(&recording::folder(), name)?;
        println!("{name}: {size} bytes in {} chunks", recording.received.len());
    }
    Ok(())
}
