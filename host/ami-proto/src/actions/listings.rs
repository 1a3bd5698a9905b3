//! Actions that list what is there, to fill a model; each answer ends with an event of its own.

use crate::action::Action;

/// When Asterisk was started (`CoreStartupDate`, `CoreStartupTime`); needs the right `system` or
/// `reporting`. No list.
pub fn core_status() -> Action {
    Action::new("CoreStatus")
}

/// Every channel with its bridge (`Status` events, `BridgeID`).
pub fn status() -> Action {
    Action::new("Status")
}

/// The same, and with each channel the values of these plain variables, as `Variable: NAME=VALUE`.
pub fn status_with(variables: &[&str]) -> Action {
    status().header("Variables", variables.join(","))
}

/// Every channel (`CoreShowChannel` events); needs the right `system` or `reporting`.
pub fn core_show_channels() -> Action {
    Action::new("CoreShowChannels")
}

/// Every bridge (`BridgeListItem` events).
pub fn bridge_list() -> Action {
    Action::new("BridgeList")
}

/// The channels of one bridge (`BridgeInfoChannel` events), by its unique id.
pub fn bridge_info(bridge: &str) -> Action {
    Action::new("BridgeInfo").header("BridgeUniqueid", bridge)
}

/// The state of every hint. The items are called `ExtensionStatus`, as the live event is.
pub fn extension_state_list() -> Action {
    Action::new("ExtensionStateList")
}

/// The state of every device. The items are called `DeviceStateChange`, as the live event is.
pub fn device_state_list() -> Action {
    Action::new("DeviceStateList")
}

/// Every presence state. The items are called `PresenceStateChange`, as the live event is.
pub fn presence_state_list() -> Action {
    Action::new("PresenceStateList")
}

/// Every parked call. The items are called `ParkedCall`, as the live event is.
pub fn parked_calls() -> Action {
    Action::new("ParkedCalls")
}

/// Every conference (`ConfbridgeListRooms` events); none is an *Error* to Asterisk.
pub fn confbridge_list_rooms() -> Action {
    Action::new("ConfbridgeListRooms")
}

/// Who is in a conference (`ConfbridgeList` events).
pub fn confbridge_list(conference: &str) -> Action {
    Action::new("ConfbridgeList").header("Conference", conference)
}

/// Where PJSIP phones are registered (`ContactList` events).
pub fn pjsip_show_contacts() -> Action {
    Action::new("PJSIPShowContacts")
}

/// Every PJSIP endpoint (`EndpointList` events).
pub fn pjsip_show_endpoints() -> Action {
    Action::new("PJSIPShowEndpoints")
}
