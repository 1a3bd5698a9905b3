//! Actions about conferences, and their lists.

use super::listings::List;
use super::{Answer, Asked};
use crate::centre::Centre;
use crate::channel::ChannelId;
use crate::conference::NoRoom;

impl Centre {
    pub(super) fn action_room_mute(&mut self, asked: &Asked, muted: bool) -> Answer {
        let (room, guests) = match self.guests_asked(asked) {
            Ok(found) => found,
            Err(answer) => return answer,
        };
        for guest in guests {
            self.mute_guest(room, guest, muted);
        }
        asked.success(if muted { "User muted" } else { "User unmuted" })
    }

    pub(super) fn action_room_kick(&mut self, asked: &Asked) -> Answer {
        let (room, guests) = match self.guests_asked(asked) {
            Ok(found) => found,
            Err(answer) => return answer,
        };
        for guest in guests {
            self.kick(room, guest);
        }
        let all = asked.get("Channel").is_some_and(|channel| channel.eq_ignore_ascii_case("all"));
        asked.success(if all { "All users kicked" } else { "User kicked" })
    }

    pub(super) fn action_room_lock(&mut self, asked: &Asked, locked: bool) -> Answer {
        let Some(name) = asked.get("Conference") else {
            return asked.error("No Conference name provided.");
        };
        match self.rooms.get_mut(name) {
            Some(room) => {
                room.locked = locked;
                asked.success(if locked { "Conference locked" } else { "Conference unlocked" })
            }
            None => self.no_room(asked),
        }
    }

    fn guests_asked<'a>(&self, asked: &Asked<'a>) -> Result<(&'a str, Vec<ChannelId>), Answer> {
        let name =
            asked.get("Conference").ok_or_else(|| asked.error("No Conference name provided."))?;
        let channel =
            asked.get("Channel").ok_or_else(|| asked.error("No channel parameter provided."))?;
        match self.guests(name, channel) {
            Ok(guests) if guests.is_empty() => {
                Err(asked.error("No Channel by that name found in Conference."))
            }
            Ok(guests) => Ok((name, guests)),
            Err(NoRoom::None) => Err(asked.error("No active conferences.")),
            Err(NoRoom::NotThis) => Err(asked.error("No Conference by that name found.")),
        }
    }

    fn no_room(&self, asked: &Asked) -> Answer {
        if self.rooms.is_empty() {
            asked.error("No active conferences.")
        } else {
            asked.error("No Conference by that name found.")
        }
    }

    pub(super) fn list_rooms(&self, asked: &Asked) -> Answer {
        if self.rooms.is_empty() {
            return asked.error("No active conferences.");
        }
        let mut list = List::start(asked, "Confbridge conferences will follow");
        for (name, room) in &self.rooms {
            let item = list
                .item("ConfbridgeListRooms")
                .field("Conference", name)
                .field("Parties", room.guests.len())
                .field("Marked", 0)
                .field("Locked", if room.locked { "Yes" } else { "No" })
                .field("Muted", "No");
            list.add(item);
        }
        list.complete("ConfbridgeListRoomsComplete")
    }

    pub(super) fn list_room(&self, asked: &Asked) -> Answer {
        let Some(name) = asked.get("Conference") else {
            return asked.error("No Conference name provided.");
        };
        let Some(room) = self.rooms.get(name) else { return self.no_room(asked) };
        let mut list = List::start(asked, "Confbridge user list will follow");
        for guest in &room.guests {
            let item = list.item("ConfbridgeList");
            list.add(self.show_guest(name, guest, item));
        }
        list.complete("ConfbridgeListComplete")
    }
}
