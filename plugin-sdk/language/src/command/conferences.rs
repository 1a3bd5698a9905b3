//! Commands about conferences.

use crate::{ChannelName, Id};
use serde::{Deserialize, Serialize};

/// `conferenceKick`, `conferenceMute`, `conferenceUnmute`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ConferenceMember {
    /// The conference.
    pub conference: Id,
    /// The member; everybody in it when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<ChannelName>,
}

/// `conferenceLock`, `conferenceUnlock`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ConferenceLock {
    /// The conference.
    pub conference: Id,
}
