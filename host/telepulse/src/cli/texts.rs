//! Long texts for `--help`: what a command is for, by examples. A test reads each example as the program
//! would.

pub(super) const AFTER_HELP: &str = "First steps:
  telepulse demo                       a simulated call centre, no Asterisk needed
  telepulse events --token demo        in another terminal: what happens in it
  telepulse top                        and how much
  telepulse token                      a token for a user of your own
  telepulse check                      is the configuration good?
  telepulse doctor                     is all well with the Asterisk servers?
  telepulse run                        the real thing

Colours are for terminals, unless NO_COLOR is set. Exit codes: 0 well, 1 refused with a reason, 2 wrong usage.";

pub(super) const RUN: &str = "Examples:
  telepulse run
  telepulse run --config /srv/telepulse/telepulse.toml

Without --config it is config/telepulse.toml here or, if there is none, the package's \
/etc/telepulse/telepulse.toml.

SIGTERM and Ctrl-C end it within 10 seconds: servers are logged off, clients are told. SIGHUP, or \
`telepulse reload`, has it read the configuration again. Any key of the configuration can come from \
the environment: TELEPULSE_LOG__LEVEL=debug, or TELEPULSE_SERVER__PBX1__SECRET=… for the server with \
the id pbx1.";

pub(super) const CHECK: &str = "Examples:
  telepulse check
  telepulse check --config config/examples/one-pbx.toml
  telepulse check --json | jq -r '.mistakes[].what'

All mistakes are told at once, each with its line and the way out. `telepulse schema` prints a JSON \
Schema by which editors find most of them while you type.";

pub(super) const DOCTOR: &str = "Examples:
  telepulse doctor
  telepulse doctor --server pbx1
  telepulse doctor --asterisk /etc/asterisk      # on the Asterisk machine: names what a refused login hides
  telepulse doctor --json | jq '.findings[] | select(.severity == \"error\")'

It logs in as TelePulse does, asks, listens to events for two seconds, and changes nothing; a TelePulse \
that runs is not disturbed. Each finding says how bad it is, what, where, and the lines to paste into \
manager.conf, ari.conf, http.conf or TelePulse's own configuration. Exit code 1 if there is an error or \
a warning; notes do not count.";

pub(super) const RELOAD: &str = "Examples:
  telepulse reload --dry-run
  telepulse reload
  telepulse reload --json | jq -r '.changes[].key'

Servers, users, roles and limits change at once, and what did not change is not touched; other keys are \
told and wait for a restart. A file with a mistake changes nothing, and what is in force stays.";

pub(super) const SCHEMA: &str = "Examples:
  telepulse schema > telepulse.schema.json

Editors with a TOML language server (taplo, Even Better TOML) use it if the configuration's first line \
is `#:schema telepulse.schema.json`.";

pub(super) const DEMO: &str = "Examples:
  telepulse demo
  telepulse demo --calls-per-minute 60 --phones 40 --queues 5

It prints where to look and lines to try. The token `demo` is good for everything.";

pub(super) const TOKEN: &str = "Examples:
  telepulse token
  telepulse token --json | jq -r .line";

pub(super) const TOKENS: &str = "Examples:
  telepulse tokens revoke --user wallboard
  telepulse tokens list";
pub(super) const TOKENS_LIST: &str = "Examples:
  telepulse tokens list
  telepulse tokens list --json | jq -r '.items[].id'";
pub(super) const REVOKE: &str = "Examples:
  telepulse tokens revoke --jti 3f2a9c --expires 2036-11-22T18:00:00Z
  telepulse tokens revoke --subject ana --before 2026-11-22T15:00:00Z
  telepulse tokens revoke --user wallboard

Connections that are open are closed. With a store that several nodes share it is so on all of them within \
about two seconds.";
pub(super) const UNREVOKE: &str = "Example:
  telepulse tokens unrevoke 5d1c0b7a9e2f4431";

pub(super) const SERVERS: &str = "Examples:
  telepulse servers list
  telepulse servers add pbx1 --host 10.0.0.5 --username telepulse --secret env:PBX1_SECRET
  telepulse servers restart pbx1";
pub(super) const SERVERS_LIST: &str = "Examples:
  telepulse servers list
  telepulse servers list --json | jq -r '.items[] | select(.state != \"CONNECTED\").id'";
pub(super) const ADD: &str = "Examples:
  telepulse servers add pbx1 --host 10.0.0.5 --username telepulse --secret env:PBX1_SECRET
  telepulse servers add pbx1 --host pbx.example --port 5039 --tls-ca pbx-ca.pem --username telepulse

Then it is looked, from this machine, whether the server can be used: what is wrong is told, and the \
server is added all the same. --no-doctor leaves that out.";
pub(super) const CHANGE: &str = "Examples:
  telepulse servers change pbx1 --context from-internal
  telepulse servers change pbx1 --port 5039 --tls-ca pbx-ca.pem --secret env:PBX1_SECRET

What is not given stays as it is. A secret is needed again where host, port or user change: the one \
that is kept is sent nowhere else.";
pub(super) const REMOVE: &str = "Example:
  telepulse servers remove pbx1";
pub(super) const RESTART: &str = "Example:
  telepulse servers restart pbx1";
pub(super) const STOP: &str = "Example:
  telepulse servers stop pbx1";
pub(super) const START: &str = "Example:
  telepulse servers start pbx1";

pub(super) const PLUGINS: &str = "Examples:
  telepulse plugins list
  telepulse plugins install crm.wasm
  telepulse plugins approve crm";
pub(super) const PLUGINS_LIST: &str = "Example:
  telepulse plugins list";
pub(super) const PLUGINS_SHOW: &str = "Example:
  telepulse plugins show rest | jq .figures";
pub(super) const PLUGINS_RELOAD: &str = "Example:
  telepulse plugins reload rest";
pub(super) const PLUGINS_STOP: &str = "Example:
  telepulse plugins stop crm";
pub(super) const PLUGINS_START: &str = "Example:
  telepulse plugins start crm";
pub(super) const PLUGINS_HISTORY: &str = "Example:
  telepulse plugins history crm";
pub(super) const PLUGINS_ASIDE: &str = "Example:
  telepulse plugins aside crm";
pub(super) const PLUGINS_ROLLBACK: &str = "Examples:
  telepulse plugins rollback crm
  telepulse plugins rollback crm --to 4f2a91";
pub(super) const PLUGINS_APPROVE: &str = "Examples:
  telepulse plugins approve crm
  telepulse plugins approve crm --yes";
pub(super) const PLUGINS_LOG: &str = "Example:
  telepulse plugins log crm";
pub(super) const PLUGINS_NEW: &str = "Examples:
  telepulse plugins new my-plugin
  telepulse plugins new --lang python my-plugin";
pub(super) const PLUGINS_BUILD: &str = "Example, in the plugin's folder:
  telepulse plugins build";
pub(super) const PLUGINS_DEV: &str = "Example, in the plugin's folder:
  telepulse plugins dev";
pub(super) const PLUGINS_INSTALL: &str = "Examples:
  telepulse plugins install crm.wasm
  telepulse plugins install target/my_crm.wasm --name crm";

pub(super) const EVENTS: &str = "Examples:
  telepulse events --token demo
  telepulse events --token demo --filter '{\"events\":[\"callStarted\",\"callEnded\"]}'
  telepulse events --token demo --filter '{\"queues\":[\"sales\"]}' --json | jq .

In a terminal each event is one short line; --json prints it whole, as it is where no terminal is. A \
filter has lists of `events`, `servers`, `agents` and `queues`; an absent list lets everything through.";

pub(super) const TOP: &str = "Examples:
  telepulse top
  telepulse top --every 5
  telepulse top --once
  telepulse top --json | jq .calls

In a terminal it is drawn anew each second until Ctrl-C; elsewhere it is told once.";

pub(super) const AUDIT: &str = "Example:
  telepulse audit --server pbx1

Every channel, bridge, queue, hint and device is listed anew and compared. What differs is mended and \
printed, as the events that clients get of it. On a PBX at rest there is nothing to mend; under load \
some of it was on its way as an event and came first by the listing: audit again.

Exit code 1 if anything differed.";

pub(super) const RECORD: &str = "Examples:
  telepulse record --server pbx1 pbx1.amirec
  telepulse record --server pbx1 --for 10m --events on everything.amirec

It logs in by itself, as the configuration says, asks what TelePulse asks after a login, and then \
only listens: a TelePulse that runs is not disturbed. The challenge, the proof of the secret and \
passwords are written as asterisks. Callers' numbers and names are in it: keep it private.

A recording is two files: FILE has what the server sent, NAME.amisent beside it what we sent. Both \
are pieces with their time: a line `@<milliseconds> <length>`, so many bytes, a line end.";

pub(super) const REPLAY: &str = "Examples:
  telepulse replay pbx1.amirec
  telepulse replay pbx1.amirec --listen 127.0.0.1:15038 --speed 10
  telepulse replay pbx1.amirec --speed max
  telepulse servers add again --host 127.0.0.1 --port 15038 --username any --secret -

Each client sees the recording from its own login on. What it asks (listings) is answered as it was \
then; what nobody asked then is an error. An event that came after an answer waits until the client \
has asked the same, for a second at most. Masks other than off, and filters, change nothing: the \
recording has what was let in then. At its end the client stays connected.";

pub(super) const COMPLETIONS: &str = "Examples:
  telepulse completions bash > /etc/bash_completion.d/telepulse
  telepulse completions zsh > ~/.zfunc/_telepulse
  telepulse completions fish > ~/.config/fish/completions/telepulse.fish";
