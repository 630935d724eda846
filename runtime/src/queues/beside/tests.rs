use std::sync::Arc;

use bytes::Bytes;
use throughline_cluster::{Creation, Entry, Identity, Law, Member, NodeId, NodeInfo, NodeState};
use throughline_cluster::{Standing, Turn, TurnState};
use throughline_link::{Secret, SessionId};

use super::*;

/// A session that runs.
pub(in crate::queues) fn header(n: u8) -> Header {
    let info = Arc::new(NodeInfo::new("127.0.0.1:1", Vec::new()).unwrap());
    let member = Member { node: NodeId(1), incarnation: 9 };
    let me = Entry { member, standing: Some(Standing { state: NodeState::Alive, info }) };
    let identity = Identity::new("game", b"", Secret([1; 32])).unwrap();
    let id = RecordId::session(SessionId([n; 16]));
    let (identity, life) = (Arc::new(identity), 77);
    let new = Creation { id, identity, life, state_version: 1, attempt: 0 };
    let new = Law::default().create(&new, &me).unwrap().after.unwrap();
    let turn = Turn { state: TurnState::Running, attempt: 1, due: None, more: Commit::default() };
    Law::default().turn(&new, turn).unwrap().after.unwrap()
}

fn enqueue(to: &str, payload: &'static [u8]) -> Durable {
    let to = QueueName::key(to).unwrap();
    Durable::Enqueue { to, payload: Bytes::from_static(payload), expires_ms: 9_000 }
}

fn member(group: &str, joins: bool) -> Durable {
    Durable::Member { group: GroupName::new(group).unwrap(), joins }
}

#[test]
fn a_row_is_written_once_and_a_receiver_is_poked_once() {
    let staged = vec![enqueue("ann", b"1"), enqueue("bob", b"2"), enqueue("ann", b"3")];
    let made = beside(&header(1), &mut 0, 5_000, staged, Pieces::default());
    assert_eq!(made.pokes, [QueueName::key("ann").unwrap(), QueueName::key("bob").unwrap()]);
    let mut keys: Vec<_> = made.more.raw.writes.iter().map(key_of).collect();
    assert_eq!(keys.len(), 5, "three messages, two queues that are not empty");
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 5);
    assert!(made.more.raw.checks.is_empty() && made.more.writes.is_empty());
}

fn key_of(write: &Write) -> Bytes {
    match write {
        Write::Put { key, .. } | Write::Delete { key } => key.clone(),
    }
}

#[test]
fn messages_of_one_sender_have_growing_positions_whatever_its_clock_does() {
    let (mut last_ms, mut last) = (0, Bytes::new());
    let mut now = header(1);
    for now_ms in [5_000, 4_000, 4_000, 6_000] {
        let staged = vec![enqueue("ann", b"1"), enqueue("ann", b"2")];
        let made = beside(&now, &mut last_ms, now_ms, staged, Pieces::default());
        let messages = made.more.raw.writes.iter().map(key_of).filter(|key| key.starts_with(b"xm"));
        for key in messages {
            assert!(key > last, "{key:?} is not behind {last:?}");
            last = key;
        }
        let turn = Turn { state: TurnState::Running, attempt: 1, due: None, more: made.more };
        now = Law::default().turn(&now, turn).unwrap().after.unwrap();
    }
    assert_eq!(last_ms, 6_000);
}

#[test]
fn the_last_word_of_a_turn_about_a_group_counts() {
    let staged = vec![member("chat", true), member("team", true), member("chat", false)];
    let made = beside(&header(1), &mut 0, 5_000, staged, Pieces::default());
    let chat = member_row(&GroupName::new("chat").unwrap(), &header(1).id);
    let chats: Vec<_> = made.more.raw.writes.iter().filter(|w| key_of(w) == chat).collect();
    assert_eq!(chats, [&Write::Delete { key: chat.clone() }]);
    let names: Vec<_> = made.members.iter().map(|(name, joins)| (name.as_str(), *joins)).collect();
    assert_eq!(names, [("team", true), ("chat", false)]);
}
