//! P10: a session is resumed only with proof of its secret, and secrets stay secret.

use throughline_client::CloseCode;
use throughline_link::{Secret, SessionId};

use crate::{
    game::{self, Answer, Ask},
    journal, logs,
    player::join,
    raw::{Seat, Seen, Wire},
};

/// The answer to this Resume on a new connection of each transport.
async fn answers(node: &throughline::RunningNode, resume: &[u8]) -> Vec<Seen> {
    let mut answers = Vec::new();
    for (_, mut wire) in Wire::each(node).await {
        wire.write(resume).await;
        answers.push(wire.next().await);
    }
    answers
}

fn is_refused(seen: &Seen, with: CloseCode) -> bool {
    matches!(seen, Seen::Refused { code, .. } if *code == with.number())
}

/// The owner, whose session has answered once, and whose connection is alive.
struct Owner {
    wire: Wire,
    seat: Seat,
    seq: u64,
}

impl Owner {
    async fn enter(node: &throughline::RunningNode) -> Self {
        let address = node.link_addresses()[0];
        let (mut wire, seat) = Wire::session(address, "parrot", "ann").await;
        wire.answer::<Answer>().await;
        Self { wire, seat, seq: 0 }
    }

    async fn is_undisturbed(&mut self) {
        self.seq += 1;
        self.wire.ask(self.seq, 0, &Ask::Say(self.seq)).await;
        assert_eq!(self.wire.answer::<Answer>().await, Answer::Said(self.seq));
        let notes = journal::of(self.seat.id);
        assert!(!notes.contains(&"connection lost".to_owned()), "{notes:?}");
    }
}

#[tokio::test]
async fn p10_a_wrong_proof_gets_in_nowhere_and_disturbs_nobody() {
    let node = game::node(|_| {});
    let mut owner = Owner::enter(&node).await;
    let seat = owner.seat.clone();
    let good = seat.resume(1, 0, 0);
    let mut forgeries = vec![Seat { secret: Secret([0; 32]), ..seat.clone() }.resume(1, 0, 0)];
    // A proof of another session; and a good one with any part of the body changed.
    let other = Owner::enter(&node).await;
    forgeries.push(Seat { secret: other.seat.secret.clone(), ..seat.clone() }.resume(1, 0, 0));
    // Attempt, received, acked, and the proof's first and last byte.
    for place in [34, 42, 50, 53, good.len() - 1] {
        let mut forged = good.clone();
        forged[place] ^= 1;
        forgeries.push(forged);
    }
    for (number, forged) in forgeries.iter().enumerate() {
        for answer in answers(&node, forged).await {
            assert!(is_refused(&answer, CloseCode::BadProof), "{number}: {answer:?}");
        }
        owner.is_undisturbed().await;
    }
    let refused = node.counters().refused(CloseCode::BadProof);
    assert_eq!(refused, 2 * forgeries.len() as u64);
    // The counter did not move: the real client comes in with the first attempt.
    assert!(answers(&node, &good).await.iter().any(|seen| matches!(seen, Seen::Welcome(_))));
}

#[tokio::test]
async fn p10_a_replayed_resume_is_refused_and_disturbs_nobody() {
    let node = game::node(|_| {});
    let mut owner = Owner::enter(&node).await;
    let resume = owner.seat.resume(5, 0, 0);
    let address = node.link_addresses()[0];
    let mut back = Wire::tcp(address).await;
    back.write(&resume).await;
    back.welcome().await;
    owner.wire = back;
    let notes = journal::of(owner.seat.id);
    for old in [resume, owner.seat.resume(4, 0, 0), owner.seat.resume(1, 0, 0)] {
        for answer in answers(&node, &old).await {
            assert!(is_refused(&answer, CloseCode::OldAttempt), "{answer:?}");
        }
    }
    owner.wire.ask(1, 0, &Ask::Say(1)).await;
    let said = owner.wire.find(|seen| match seen {
        Seen::Data { seq: 2, payload, .. } => Some(payload.clone()),
        _ => None,
    });
    assert_eq!(said.await, br#"{"Said":1}"#);
    let now = journal::of(owner.seat.id);
    assert!(now.len() <= notes.len() + 2, "one loss and one repair at most: {now:?}");
    assert_eq!(node.counters().refused(CloseCode::OldAttempt), 6);
}

#[tokio::test]
async fn p10_a_session_that_is_not_there_cannot_be_resumed() {
    let node = game::node(|_| {});
    let owner = Owner::enter(&node).await;
    let nobody = Seat { id: SessionId([9; 16]), ..owner.seat.clone() };
    for answer in answers(&node, &nobody.resume(1, 0, 0)).await {
        assert!(is_refused(&answer, CloseCode::Unknown), "{answer:?}");
    }
}

#[tokio::test]
async fn p10_a_session_that_ended_gives_its_last_words_to_its_client_only() {
    let node = game::node(|_| {});
    let mut owner = Owner::enter(&node).await;
    owner.wire.ask(1, 0, &Ask::End(5)).await;
    assert_eq!(owner.wire.code().await, CloseCode::Ended.number());
    let forged = Seat { secret: Secret([0; 32]), ..owner.seat.clone() }.resume(1, 0, 0);
    for answer in answers(&node, &forged).await {
        assert!(is_refused(&answer, CloseCode::BadProof), "{answer:?}");
    }
    let mut back = Wire::tcp(node.link_addresses()[0]).await;
    back.write(&owner.seat.resume(1, 1, 0)).await;
    back.welcome().await;
    assert_eq!(back.answer::<Answer>().await, Answer::Said(5));
    assert_eq!(back.code().await, CloseCode::Ended.number());
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn p10_no_log_has_a_secret_or_a_payload() {
    logs::keep();
    let node = game::node(|_| {});
    let address = node.link_addresses()[0];
    let (mut wire, seat) = Wire::session(address, "parrot", "login-of-ann").await;
    wire.ask(1, 0, &Ask::Echo("word-of-ann".into())).await;
    wire.ask(2, 0, &"unreadable-of-ann").await;
    assert_eq!(wire.code().await, CloseCode::BadMessage.number());
    for attempt in [2, 1] {
        let mut wire = Wire::tcp(address).await;
        wire.write(&seat.resume(attempt, 0, 0)).await;
        wire.next().await;
    }
    let options = crate::player::options(address, r#"{"password":"password-of-bob"}"#);
    assert_eq!(crate::player::refusal(options).await.0, CloseCode::LoginRefused);
    let mut cid = join(&node, "login-of-cid").await;
    cid.leave().await;
    // A hook that fails with what it could not read.
    let mut dan = join(&node, "login-of-dan").await;
    node.send_to_local_session(dan.client().session_id(), &271_828.125).unwrap();
    assert_eq!(crate::player::end_of(&mut dan).await, CloseCode::HandlerFailed);
    assert!(!logs::with("hook `server_message`").is_empty(), "a failed hook is logged");
    assert!(!logs::with(&seat.id.to_string()).is_empty(), "sessions are logged by their id");
    let secret = &seat.secret.0;
    let resume = seat.resume(2, 0, 0);
    let proof = &resume[resume.len() - 32..];
    let forbidden = [
        hex(secret),
        hex(secret).to_uppercase(),
        format!("{:?}", &secret[..4]).replace(']', ""),
        hex(proof),
        "login-of-".to_owned(),
        "word-of-ann".to_owned(),
        "unreadable-of-ann".to_owned(),
        "password-of-bob".to_owned(),
        "271828".to_owned(),
    ];
    for text in forbidden {
        assert_eq!(logs::with(&text), [""; 0], "{text} is logged");
    }
}
