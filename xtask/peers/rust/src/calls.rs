//! What the servers of the benchmarks say: answers to actions, and the events of a whole call.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::TcpStream,
};

/// The headers of the next action, keys in lower case; `None` at the end.
pub fn fields(reader: &mut impl BufRead) -> io::Result<Option<Vec<(String, String)>>> {
    let mut fields = Vec::new();
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        match line.trim_end() {
            "" if fields.is_empty() => {}
            "" => return Ok(Some(fields)),
            text => fields.extend(
                text.split_once(':')
                    .map(|(key, value)| (key.to_ascii_lowercase(), value.trim().to_owned())),
            ),
        }
    }
}

/// Answers a client until its connection ends, by [`answer`] or what is said instead; `logged_in` gets the
/// connection after the login.
pub fn serve(
    client: TcpStream,
    instead: impl Fn(&[(String, String)]) -> Option<String>,
    logged_in: impl Fn(TcpStream),
) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut writer = client.try_clone()?;
    writer.write_all(b"Asterisk Call Manager/11.0.0\r\n")?;
    let mut reader = BufReader::new(client);
    while let Some(action) = fields(&mut reader)? {
        let (text, is_login) = answer(&action);
        writer.write_all(instead(&action).unwrap_or(text).as_bytes())?;
        if is_login {
            logged_in(writer.try_clone()?);
        }
    }
    Ok(())
}

/// The answer to an action, and whether it was the login.
pub fn answer(fields: &[(String, String)]) -> (String, bool) {
    let field = |key: &str| fields.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str());
    let id = field("actionid").map_or(String::new(), |id| format!("ActionID: {id}\r\n"));
    let action = field("action").unwrap_or_default();
    let text = match action.to_ascii_lowercase().as_str() {
        "challenge" => format!("Response: Success\r\n{id}Challenge: 123456789\r\n\r\n"),
        "login" => {
            let text = format!(
                "Response: Success\r\n{id}Message: Authentication accepted\r\n\r\n\
                 Event: FullyBooted\r\nPrivilege: system,all\r\nUptime: 1\r\nLastReload: 1\r\n\
                 Status: Fully Booted\r\n\r\n"
            );
            return (text, true);
        }
        "status"
        | "bridgelist"
        | "queuestatus"
        | "extensionstatelist"
        | "devicestatelist"
        | "presencestatelist"
        | "parkedcalls"
        | "confbridgelistrooms"
        | "pjsipshowcontacts" => {
            format!(
                "Response: Success\r\n{id}EventList: start\r\nMessage: List will follow\r\n\r\n\
                 Event: {action}Complete\r\n{id}EventList: Complete\r\nListItems: 0\r\n\r\n"
            )
        }
        _ => format!("Response: Success\r\n{id}Message: Done\r\n\r\n"),
    };
    (text, false)
}

/// One extension calls another, which answers; then both hang up.
pub fn call(number: usize) -> Vec<String> {
    let seconds = 1_795_215_840 + number / 100;
    let ids = [format!("{seconds}.{}", number * 2), format!("{seconds}.{}", number * 2 + 1)];
    let parties = [2000 + number % 500, 3000 + number % 500];
    let bridge = format!("{:08x}-1f2e-4c55-9d7a-{:012x}", number, number);
    let channel = |role: &str, who: usize, state: usize| {
        let (party, other) = (parties[who], parties[1 - who]);
        let name = ["Down", "Reserved", "OffHook", "Dialing", "Ring", "Ringing", "Up"][state];
        let (exten, context) =
            if who == 0 { (other.to_string(), "internal") } else { (String::new(), "internal") };
        format!(
            "{role}Channel: PJSIP/{party}-{:08x}\r\n{role}ChannelState: {state}\r\n\
             {role}ChannelStateDesc: {name}\r\n{role}CallerIDNum: {party}\r\n\
             {role}CallerIDName: Agent {party}\r\n{role}ConnectedLineNum: {other}\r\n\
             {role}ConnectedLineName: Agent {other}\r\n{role}Language: en\r\n\
             {role}AccountCode: \r\n{role}Context: {context}\r\n{role}Exten: {exten}\r\n\
             {role}Priority: 1\r\n{role}Uniqueid: {}\r\n{role}Linkedid: {}\r\n",
            number * 2 + who,
            ids[who],
            ids[0]
        )
    };
    let members = |count: usize| {
        format!(
            "BridgeUniqueid: {bridge}\r\nBridgeType: basic\r\nBridgeTechnology: simple_bridge\r\n\
             BridgeCreator: <unknown>\r\nBridgeName: <unknown>\r\nBridgeNumChannels: {count}\r\n\
             BridgeVideoSourceMode: none\r\n"
        )
    };
    let event = |name: &str, rest: &[&str]| {
        format!("Event: {name}\r\nPrivilege: call,all\r\n{}\r\n", rest.concat())
    };
    let cause = "Cause: 16\r\nCause-txt: Normal Clearing\r\n";
    vec![
        event("Newchannel", &[&channel("", 0, 0)]),
        event("Newstate", &[&channel("", 0, 4)]),
        event("Newchannel", &[&channel("", 1, 0)]),
        event("NewConnectedLine", &[&channel("", 1, 0)]),
        event(
            "DialBegin",
            &[
                &channel("", 0, 4),
                &channel("Dest", 1, 0),
                &format!("DialString: {}\r\n", parties[1]),
            ],
        ),
        event("Newstate", &[&channel("", 1, 5)]),
        event(
            "DialState",
            &[&channel("", 0, 4), &channel("Dest", 1, 5), "DialStatus: RINGING\r\n"],
        ),
        event("Newstate", &[&channel("", 1, 6)]),
        event("NewConnectedLine", &[&channel("", 0, 4)]),
        event("DialEnd", &[&channel("", 0, 4), &channel("Dest", 1, 6), "DialStatus: ANSWER\r\n"]),
        event("Newstate", &[&channel("", 0, 6)]),
        event("BridgeCreate", &[&members(0)]),
        event("BridgeEnter", &[&members(1), &channel("", 1, 6)]),
        event("BridgeEnter", &[&members(2), &channel("", 0, 6)]),
        event("HangupRequest", &[&channel("", 1, 6), "Cause: 16\r\n"]),
        event("BridgeLeave", &[&members(1), &channel("", 1, 6)]),
        event("Hangup", &[&channel("", 1, 6), cause]),
        event("BridgeLeave", &[&members(0), &channel("", 0, 6)]),
        event("BridgeDestroy", &[&members(0)]),
        event("Hangup", &[&channel("", 0, 6), cause]),
    ]
}
