//! What a simulated call centre is like: its phones, its queues, and how busy it is.

use std::ops::RangeInclusive;

use crate::people::PEOPLE;

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
    /// The extension that parks; its ten spaces are the numbers after it.
    pub parking: u32,
    /// How long somebody is parked if nobody says otherwise, in milliseconds.
    pub parking_ms: u64,
    /// The extension and name of the conference.
    pub conference: String,
    /// Within how many seconds a queue's caller should be served.
    pub service_level_s: u64,
    /// How long the centre has been open when somebody connects for the first time, in milliseconds.
    pub open_since_ms: u64,
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
    /// Extensions of those who are called when all of these are busy: members of a higher penalty.
    pub backups: Vec<String>,
}

/// The first phones of the demo are for whoever tries it.
const LEFT_ALONE: u32 = 3;
/// The fewest phones of a server that are no agents': those, one that is not plugged in, and one.
const OFFICES: u32 = 5;

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
                    backups: Vec::new(),
                })
                .collect(),
            calls_per_minute: 0,
            ring_ms: 100..=100,
            talk_ms: 3_600_000..=3_600_000,
            patience_ms: 3_600_000..=3_600_000,
            answered_percent: 100,
            parking: 750,
            parking_ms: 45_000,
            conference: "700".to_owned(),
            service_level_s: 0,
            open_since_ms: 0,
        }
    }

    /// A call centre at work on one server: so many phones, most of them agents, in so many queues
    /// (at most 5). 101 to 103 are left alone by the traffic.
    pub fn demo(phones: u32, queues: usize, calls_per_minute: u32) -> Self {
        let offices = (phones / 5).max(LEFT_ALONE) + 1;
        let queues: Vec<usize> = (0..queues.min(QUEUES.len())).collect();
        let mut demo = Self::site(101, phones, offices, &queues);
        "demo".clone_into(&mut demo.system_name);
        demo.calls_per_minute = calls_per_minute;
        demo
    }

    /// Phones from `first` on, of which the first `offices` serve no queue; these of [`QUEUES`].
    fn site(first: u32, phones: u32, offices: u32, queues: &[usize]) -> Self {
        let mut site = Self::quiet(phones, &[]);
        site.ring_ms = 1_500..=7_000;
        site.talk_ms = 20_000..=120_000;
        site.patience_ms = 20_000..=90_000;
        site.answered_percent = 88;
        site.service_level_s = 20;
        site.parking_ms = 60_000;
        for (number, phone) in (0..).zip(&mut site.phones) {
            phone.extension = (first + number).to_string();
            phone.left_alone = number < LEFT_ALONE;
            // One phone is not plugged in: something to show as offline.
            phone.online = number != LEFT_ALONE;
        }
        name(&mut site.phones, 0);
        let offices = usize::try_from(offices).unwrap_or(usize::MAX);
        let agents: Vec<String> =
            site.phones.iter().skip(offices).map(|phone| phone.extension.clone()).collect();
        let every = queues.len().max(1);
        for (index, queue) in queues.iter().enumerate() {
            let of = |offset: usize, step: usize| {
                agents.iter().skip((index + offset) % every).step_by(step).cloned().collect()
            };
            let backups = if every > 1 { of(1, every * 3) } else { Vec::new() };
            site.queues.push(Queue {
                name: QUEUES[*queue].to_owned(),
                extension: (600 + queue).to_string(),
                members: of(0, every),
                backups,
            });
        }
        site
    }

    /// A call centre on several servers: `pbx1`, `pbx2` and so on, with extensions from 101, 201
    /// and so on (from 1001, 2001 if there are too many), its queues and conferences each on one of
    /// them.
    pub fn sites(scale: &Scale) -> Vec<Self> {
        let servers = scale.servers.clamp(1, Scale::MOST_SERVERS);
        let share = |all: u32, server: u32| all / servers + u32::from(server < all % servers);
        let offices = scale.phones.saturating_sub(scale.agents);
        let most = (scale.agents + offices).div_ceil(servers).max(1) + OFFICES * servers;
        let block = if most < 100 { 100 } else { 1_000 };
        let mut named = 0;
        (0..servers)
            .map(|server| {
                let offices = share(offices, server).max(OFFICES);
                let phones = share(scale.agents, server) + offices;
                let count = usize::try_from(scale.queues).unwrap_or(usize::MAX).min(QUEUES.len());
                let every = usize::try_from(servers).unwrap_or(1);
                let own = usize::try_from(server).unwrap_or_default();
                let queues: Vec<usize> = (own..count).step_by(every).collect();
                let mut site = Self::site((server + 1) * block + 1, phones, offices, &queues);
                name(&mut site.phones, named);
                named += site.phones.len();
                site.system_name = format!("pbx{}", server + 1);
                site.conference = (700 + server).to_string();
                site.calls_per_minute = share(scale.calls_per_minute, server);
                site.open_since_ms = 600_000;
                site
            })
            .collect()
    }
}

/// Names in the order of the book, so that no two servers have the same people.
fn name(phones: &mut [Phone], from: usize) {
    for (phone, name) in phones.iter_mut().zip(PEOPLE.iter().cycle().skip(from)) {
        (*name).clone_into(&mut phone.name);
    }
}

/// How large a call centre on several servers is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scale {
    /// Servers, at most [`Scale::MOST_SERVERS`].
    pub servers: u32,
    /// Members of queues, on all servers.
    pub agents: u32,
    /// Phones on all servers; each server has some that are no agents'.
    pub phones: u32,
    /// Queues on all servers, at most [`Scale::MOST_QUEUES`].
    pub queues: u32,
    /// Calls that come up by themselves on all servers, each minute.
    pub calls_per_minute: u32,
}

impl Scale {
    /// More than these would share numbers.
    pub const MOST_SERVERS: u32 = 5;
    /// As many as there are names for.
    pub const MOST_QUEUES: u32 = 5;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn check(scale: Scale, first: &str, agents: usize) {
        let sites = Settings::sites(&scale);
        assert_eq!(sites.len(), scale.servers as usize);
        let phones: Vec<&str> =
            sites.iter().flat_map(|site| &site.phones).map(|p| p.extension.as_str()).collect();
        assert_eq!(phones[0], first);
        assert_eq!(phones.iter().collect::<BTreeSet<_>>().len(), phones.len(), "{phones:?}");
        let queues: Vec<&Queue> = sites.iter().flat_map(|site| &site.queues).collect();
        assert_eq!(queues.len(), scale.queues as usize);
        let numbers: BTreeSet<&str> = queues.iter().map(|q| q.extension.as_str()).collect();
        assert!(phones.iter().all(|phone| !numbers.contains(phone)));
        let members: BTreeSet<&String> = queues.iter().flat_map(|queue| &queue.members).collect();
        assert_eq!(members.len(), agents, "{scale:?}");
    }

    #[test]
    fn servers_share_no_extension_and_no_queue() {
        let scale = |servers, agents, phones, queues| Scale {
            servers,
            agents,
            phones,
            queues,
            calls_per_minute: 30,
        };
        check(scale(2, 40, 50, 5), "101", 40);
        check(scale(1, 7, 7, 1), "101", 7);
        check(scale(3, 40, 55, 5), "101", 40);
        check(scale(2, 400, 500, 5), "1001", 400);
        check(scale(5, 500, 500, 5), "1001", 500);
    }
}
