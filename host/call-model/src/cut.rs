//! What of a snapshot a user may see (contract section 10, 3): it fails closed.

use telepulse_language::{EndedCall, Principal, Snapshot};

/// Leaves out what `who` may not see. A user who is limited in a dimension (agents, queues,
/// servers) sees nothing that lacks it, save the servers themselves.
pub fn cut(mut snapshot: Snapshot, who: &Principal) -> Snapshot {
    let may = |server: &str, agent: Option<&str>, queue: Option<&str>| {
        who.may_see(Some(server), agent, queue)
    };
    snapshot.lines.retain(|line| may(&line.server, Some(&line.agent), None));
    snapshot.users.retain(|user| may(&user.server, Some(&user.agent), None));
    snapshot.queues.retain(|queue| may(&queue.server, None, Some(&queue.queue)));
    snapshot.agents.retain(|agent| may(&agent.server, Some(&agent.agent), Some(&agent.queue)));
    snapshot.calls.retain(|call| {
        let mut agents = call.channels.iter().filter_map(|channel| channel.agent.as_deref());
        let queue = call.queue.as_deref();
        may(&call.server, None, queue) || agents.any(|agent| may(&call.server, Some(agent), queue))
    });
    snapshot.parked.retain(|parked| may(&parked.server, parked.agent.as_deref(), None));
    snapshot.conferences.retain(|room| {
        let mut agents = room.members.iter().filter_map(|member| member.agent.as_deref());
        may(&room.server, None, None) || agents.any(|agent| may(&room.server, Some(agent), None))
    });
    snapshot.servers.retain(|server| {
        who.servers.as_ref().is_none_or(|visible| visible.contains(server.server.as_str()))
    });
    snapshot
}

/// What of an ended call a user may see: what its `callEnded` told that user, and no other extension.
pub fn cut_ended(mut call: EndedCall, who: &Principal) -> Option<EndedCall> {
    let (server, queue) = (call.server.clone(), call.queue.clone());
    let may = |agent: Option<&str>| who.may_see(Some(&server), agent, queue.as_deref());
    if call.agents.is_empty() {
        return may(None).then_some(call);
    }
    call.agents.retain(|agent| may(Some(agent)));
    (!call.agents.is_empty()).then_some(call)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn check(who: &Value, expected: &Value) {
        let who: Principal = serde_json::from_value(who.clone()).unwrap();
        let line = |agent: &str| json!({"agent": agent, "server": "pbx1", "lines": []});
        let call = |id: &str, agent: &str| {
            json!({"call": id, "server": "pbx1", "state": "up", "from": "", "to": "",
                "started": "2026-11-20T22:08:00.000Z",
                "channels": [{"channel": "x", "agent": agent, "number": "", "state": "up"}]})
        };
        let whole = json!({
            "lines": [line("201"), line("202")], "users": [], "agents": [],
            "queues": [{"queue": "sales", "server": "pbx1", "count": 0, "callers": [], "members": []}],
            "calls": [call("a", "201"), call("b", "202")], "parked": [], "conferences": [],
            "servers": [{"server": "pbx1", "state": "CONNECTED", "since": "2026-11-20T22:08:00.000Z"}],
        });
        let seen = json!(cut(serde_json::from_value(whole).unwrap(), &who));
        let ids = |list: &str, key: &str| -> Vec<Value> {
            seen[list].as_array().unwrap().iter().map(|item| item[key].clone()).collect()
        };
        let lists = json!([
            ids("lines", "agent"),
            ids("queues", "queue"),
            ids("calls", "call"),
            ids("servers", "server")
        ]);
        assert_eq!(lists, *expected, "{who:?}");
    }

    #[test]
    fn a_limited_user_sees_only_what_is_listed() {
        check(&json!({"name": "all"}), &json!([["201", "202"], ["sales"], ["a", "b"], ["pbx1"]]));
        check(&json!({"name": "ann", "agents": ["201"]}), &json!([["201"], [], ["a"], ["pbx1"]]));
        check(&json!({"name": "q", "queues": ["sales"]}), &json!([[], ["sales"], [], ["pbx1"]]));
        check(&json!({"name": "s", "servers": ["pbx2"]}), &json!([[], [], [], []]));
    }

    fn check_ended(who: &Value, agents: &Value, expected: Option<&Value>) {
        let who: Principal = serde_json::from_value(who.clone()).unwrap();
        let call = json!({"call": "a", "server": "pbx1", "ended": "2026-11-20T22:08:00.000Z",
            "agents": agents, "queue": "sales", "from": "", "to": "", "duration": 0, "talkTime": 0,
            "started": "2026-11-20T22:08:00.000Z", "disposition": "answered", "cause": 16,
            "causeText": "", "recordings": []});
        let seen = cut_ended(serde_json::from_value(call).unwrap(), &who);
        assert_eq!(seen.map(|call| json!(call.agents)).as_ref(), expected, "{who:?} {agents}");
    }

    #[test]
    fn an_ended_call_is_seen_as_its_event_was() {
        let all = json!({"name": "all"});
        let one = json!({"name": "one", "agents": ["201"]});
        let queue = json!({"name": "queue", "queues": ["support"]});
        let both = json!(["201", "202"]);
        check_ended(&all, &both, Some(&both));
        check_ended(&all, &json!([]), Some(&json!([])));
        check_ended(&one, &both, Some(&json!(["201"])));
        check_ended(&one, &json!(["202"]), None);
        check_ended(&one, &json!([]), None);
        check_ended(&queue, &both, None);
        check_ended(&json!({"name": "elsewhere", "servers": []}), &both, None);
    }
}
