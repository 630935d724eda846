//! Both sides in one place, and what goes wrong between them.

use throughline_cluster::NodeId;

use super::*;

const A: Member = Member { node: NodeId(1), incarnation: 10 };
const B: Member = Member { node: NodeId(2), incarnation: 20 };

fn credentials(cluster: &str, secret: u8) -> Credentials {
    Credentials { cluster: cluster.into(), secret: [secret; 16].into() }
}

fn ours() -> Credentials {
    credentials("ours", 1)
}

/// The whole handshake: what each side makes of it.
fn shake(
    dialer: (Credentials, RangeInclusive<u8>, Member),
    acceptor: (Credentials, RangeInclusive<u8>),
) -> (Result<u64, DialError>, Result<Member, Refusal>) {
    let (credentials, versions, to) = dialer;
    let (awaiting, hello) = AwaitChallenge::start(credentials, versions, [1; 32], A, to);
    let (credentials, versions) = acceptor;
    let accepting = AwaitHello { credentials, versions, nonce: [2; 32] };
    let (accepting, challenge) = match accepting.handle_frame(hello) {
        Ok(next) => next,
        Err(refusal) => {
            let heard = awaiting.handle_frame(refusal.frame()).map(|_| 0);
            return (heard, Err(refusal));
        }
    };
    let (awaiting, proof) = match awaiting.handle_frame(challenge) {
        Ok(next) => next,
        Err(error) => return (Err(error), Ok(A)),
    };
    match accepting.handle_frame(proof, B) {
        Ok(proved) => {
            let from = proved.from;
            (awaiting.handle_frame(proved.welcome(77)), Ok(from))
        }
        Err(refusal) => (awaiting.handle_frame(refusal.frame()), Err(refusal)),
    }
}

#[test]
fn two_nodes_of_a_cluster_know_each_other() {
    assert_eq!(shake((ours(), 1..=1, B), (ours(), 1..=1)), (Ok(77), Ok(A)));
}

#[test]
fn the_newest_common_version_is_spoken_and_none_is_refused() {
    for (dialer, acceptor, chosen) in [
        (1..=3, 2..=5, Some(3)),
        (2..=5, 1..=3, Some(3)),
        (1..=1, 2..=2, None),
        (4..=5, 1..=3, None),
    ] {
        let (_, hello) = AwaitChallenge::start(ours(), dialer, [1; 32], A, B);
        let accepting = AwaitHello { credentials: ours(), versions: acceptor, nonce: [2; 32] };
        match accepting.handle_frame(hello) {
            Ok((_, Frame::Challenge { version, .. })) => assert_eq!(Some(version), chosen),
            other => assert!(matches!(other, Err(Refusal::Version)) && chosen.is_none()),
        }
    }
    // A side that is made to believe in a version that it does not speak.
    let (awaiting, _) = AwaitChallenge::start(ours(), 2..=3, [1; 32], A, B);
    let challenge = Frame::Challenge { version: 1, nonce: [2; 32] };
    assert_eq!(awaiting.handle_frame(challenge).err(), Some(DialError::Version));
}

#[test]
fn a_stranger_and_a_node_of_another_cluster_are_refused() {
    for other in [credentials("ours", 2), credentials("theirs", 1)] {
        let heard = shake((other, 1..=1, B), (ours(), 1..=1));
        assert_eq!(heard, (Err(DialError::ProofRefused), Err(Refusal::Proof)));
    }
}

#[test]
fn a_stranger_does_not_learn_who_is_here() {
    let former = Member { incarnation: 19, ..B };
    let heard = shake((credentials("ours", 2), 1..=1, former), (ours(), 1..=1));
    assert_eq!(heard, (Err(DialError::ProofRefused), Err(Refusal::Proof)));
}

#[test]
fn another_incarnation_is_the_wrong_peer() {
    let former = Member { incarnation: 19, ..B };
    let heard = shake((ours(), 1..=1, former), (ours(), 1..=1));
    let refusal = Refusal::WrongPeer { wanted: former };
    assert_eq!(heard, (Err(DialError::WrongPeer), Err(refusal)));
}

#[test]
fn an_acceptor_that_cannot_prove_the_secret_is_not_trusted() {
    let (awaiting, _) = AwaitChallenge::start(ours(), 1..=1, [1; 32], A, B);
    let challenge = Frame::Challenge { version: 1, nonce: [2; 32] };
    let (awaiting, proof) = awaiting.handle_frame(challenge).ok().unwrap();
    // The best that it has: the dialer's own proof.
    let Frame::Proof { proof, .. } = proof else { panic!("no proof") };
    let welcome = Frame::Welcome { clock: 0, proof };
    assert_eq!(awaiting.handle_frame(welcome), Err(DialError::NotOurs));
}

#[test]
fn a_frame_out_of_place_ends_the_handshake() {
    let accepting = || AwaitHello { credentials: ours(), versions: 1..=1, nonce: [2; 32] };
    let call = Frame::Call { call: 1, deadline: 9, payload: "x".into() };
    assert!(matches!(accepting().handle_frame(call), Err(Refusal::Misplaced)));
    let (awaiting, hello) = AwaitChallenge::start(ours(), 1..=1, [1; 32], A, B);
    let (accepting, _) = accepting().handle_frame(hello.clone()).ok().unwrap();
    assert!(matches!(accepting.handle_frame(hello, B), Err(Refusal::Misplaced)));
    assert_eq!(awaiting.handle_frame(Frame::Ping).err(), Some(DialError::Misplaced));
}
