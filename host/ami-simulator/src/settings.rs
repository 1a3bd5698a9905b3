//! What a simulated call centre is like: its phones, its queues, and how busy it is.

use std::ops::RangeInclusive;

/// Everything that can be chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// What Asterisk's `systemname` would be: it comes in every event and in every Uniqueid.
    pub system_name: String,
    /// The manager user's name.
    pub username: String,
    /// Its secret.
    pub secret: String,
    /// The phones, each an extension with a hint.
    pub phones: Vec<Phone>,
    /// The queues, each at an extension of its own.
    pub queues: Vec<Queue>,
    /// Calls that come up by themselves; 0: only what is asked for happens.
    pub calls_per_minute: u32,
    /// How long a phone rings before it is answered, in milliseconds.
    pub ring_ms: RangeInclusive<u64>,
    /// How long people talk, in milliseconds.
    pub talk_ms: RangeInclusive<u64>,
    /// How long a caller waits in a queue, in milliseconds.
    pub patience_ms: RangeInclusive<u64>,
    /// Of 100 calls that ring on a phone, how many are answered.
    pub answered_percent: u8,
}

/// A phone: the device `PJSIP/<extension>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phone {
    /// Digits, unique, such as `101`.
    pub extension: String,
    /// Whose it is.
    pub name: String,
    /// Registered; other phones are unavailable.
    pub online: bool,
    /// Takes no part in the calls that come up by themselves: there to be tried.
    pub left_alone: bool,
}

/// A queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// What is dialled to wait in it.
    pub extension: String,
    /// Extensions of the members that it starts with.
    pub members: Vec<String>,
}

const PEOPLE: [&str; 24] = [
    "Ana Horvat",
    "Ivan Kovač",
    "Maja Babić",
    "Marko Jurić",
    "Petra Novak",
    "Luka Knežević",
    "Iva Marić",
    "Josip Vuković",
    "Lucija Perić",
    "Filip Pavlović",
    "Ema O'Connor",
    "Karlo Šimić",
    "Sara Blažević",
    "Nikola Grgić",
    "Tea Radić",
    "David Lovrić",
    "Nina Barišić",
    "Toni Filipović",
    "Lana Matić",
    "Roko Bošnjak",
    "Mia Tomić",
    "Jan Petrović",
    "Ena Vidović",
    "Leo Božić",
];

/// The first phones of the demo are for whoever tries it.
const LEFT_ALONE: usize = 3;

const QUEUES: [&str; 5] = ["support", "sales", "billing", "orders", "service"];

impl Settings {
    /// Phones from 101 on, queues from 600 on, no traffic: a place for tests.
    pub fn quiet(phones: u32, queues: &[&str]) -> Self {
        let phone = |number: u32| Phone {
            extension: number.to_string(),
            name: format!("Phone {number}"),
            online: true,
            left_alone: false,
        };
        Self {
            system_name: "tp".to_owned(),
            username: "telepulse".to_owned(),
            secret: "simulated".to_owned(),
            phones: (101..=100 + phones).map(phone).collect(),
            queues: (600..)
                .zip(queues)
                .map(|(extension, name)| Queue {
                    name: (*name).to_owned(),
                    extension: u32::to_string(&extension),
                    members: Vec::new(),
                })
                .collect(),
            calls_per_minute: 0,
            ring_ms: 100..=100,
            talk_ms: 3_600_000..=3_600_000,
            patience_ms: 3_600_000..=3_600_000,
            answered_percent: 100,
        }
    }

    /// A call centre at work: so many phones, most of them agents, in so many queues (at most 5).
    /// 101 to 103 are left alone by the traffic.
    pub fn demo(phones: u32, queues: usize, calls_per_minute: u32) -> Self {
        let mut demo = Self::quiet(phones, &QUEUES[..queues.min(QUEUES.len())]);
        "demo".clone_into(&mut demo.system_name);
        demo.calls_per_minute = calls_per_minute;
        demo.ring_ms = 1_500..=7_000;
        demo.talk_ms = 15_000..=90_000;
        demo.patience_ms = 20_000..=90_000;
        demo.answered_percent = 88;
        for (phone, name) in demo.phones.iter_mut().zip(PEOPLE.iter().cycle()) {
            (*name).clone_into(&mut phone.name);
        }
        for phone in demo.phones.iter_mut().take(LEFT_ALONE) {
            phone.left_alone = true;
        }
        let offices = (demo.phones.len() / 5).max(LEFT_ALONE);
        let agents: Vec<String> =
            demo.phones.iter().skip(offices + 1).map(|phone| phone.extension.clone()).collect();
        // One phone is not plugged in: something to show as offline.
        if let Some(phone) = demo.phones.get_mut(offices) {
            phone.online = false;
        }
        let every = demo.queues.len().max(1);
        for (index, queue) in demo.queues.iter_mut().enumerate() {
            queue.members = agents.iter().skip(index).step_by(every).cloned().collect();
        }
        demo
    }
}
