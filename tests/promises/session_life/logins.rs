//! Logins: taken, refused, failed; and the hook that bans.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use throughline::Refusal;
use throughline_client::CloseCode;

use crate::{
    game::{self, Answer, Ask},
    journal,
    player::{self, join},
    raw::{self, Seen, Wire},
};

#[tokio::test]
async fn a_refused_login_tells_the_reason_and_the_games_own_code() {
    let node = game::node(|_| {});
    let (code, text, game_code) =
        player::refusal(player::options(node.link_addresses()[0], "nobody")).await;
    assert_eq!(code, CloseCode::LoginRefused);
    assert_eq!((text.as_str(), game_code), ("nobody may not play", Some(7)));
    assert_eq!(node.counters().refused(CloseCode::LoginRefused), 1);
    assert_eq!(node.counts().1, 0);
}

#[tokio::test]
async fn a_login_that_may_be_tried_later_says_when() {
    let node = game::node(|_| {});
    let mut wire = Wire::tcp(node.link_addresses()[0]).await;
    wire.write(&raw::hello("parrot", b"later")).await;
    let Seen::Refused { code, retry_after_ms, text, .. } = wire.next().await else {
        panic!("no refusal")
    };
    assert_eq!((code, retry_after_ms), (CloseCode::NotYet.number(), 1_500));
    assert_eq!(text, "not now");
}

#[tokio::test]
async fn a_login_that_panics_is_refused_and_harms_nobody() {
    let node = game::node(|config| config.node.workers = 1);
    let mut ann = join(&node, "ann").await;
    let mut wire = Wire::tcp(node.link_addresses()[0]).await;
    wire.write(&raw::hello("parrot", b"panic")).await;
    assert_eq!(wire.code().await, CloseCode::LoadFailed.number());
    player::is_served(&mut ann).await;
    assert_eq!(node.counts().1, 1);
}

#[tokio::test]
async fn a_login_payload_that_is_no_text_is_refused() {
    let node = game::node(|_| {});
    let mut wire = Wire::tcp(node.link_addresses()[0]).await;
    wire.write(&raw::hello("parrot", b"\xff\xfe")).await;
    assert_eq!(wire.code().await, CloseCode::LoginRefused.number());
}

#[tokio::test]
async fn the_games_version_reaches_the_login_which_may_ask_for_a_newer_one() {
    let node = game::node(|_| {});
    let options = || player::options(node.link_addresses()[0], "ann");
    let (code, text, _) = player::refusal(options().game_version("0.1")).await;
    assert_eq!((code, text.as_str()), (CloseCode::UpgradeNeeded, "version 1.0 is needed"));
    let mut ann = player::join_with(options().game_version("1.0")).await;
    let id = ann.client().session_id();
    assert_eq!(journal::of(id), [r#"login Some("1.0")"#]);
}

#[tokio::test]
async fn a_ban_holds_for_logins_and_for_resumes() {
    static BANNED: AtomicBool = AtomicBool::new(false);
    let node = game::builder(|_| {})
        .admit(|arrival| {
            assert!(arrival.peer.ip().is_loopback());
            let is_ann = arrival.key == Some("ann") && arrival.resumes;
            match BANNED.load(Ordering::SeqCst) && (is_ann || !arrival.resumes) {
                true => Err(Refusal::banned("no cheating")),
                false => Ok(()),
            }
        })
        .start()
        .unwrap();
    let (mut ann, mut bob) = (join(&node, "ann").await, join(&node, "bob").await);
    player::ask(&mut ann, Ask::Key("ann".into())).await;
    BANNED.store(true, Ordering::SeqCst);
    let (code, text, _) = player::refusal(player::options(node.link_addresses()[0], "cid")).await;
    assert_eq!((code, text.as_str()), (CloseCode::Banned, "no cheating"));
    // A live session goes on; its next resume is refused.
    player::is_served(&mut ann).await;
    ann.cut();
    assert_eq!(player::end_of(&mut ann).await, CloseCode::Banned);
    bob.cut();
    player::is_served(&mut bob).await;
    assert_eq!(node.counters().refused(CloseCode::Banned), 2);
}

#[tokio::test]
async fn a_resume_refused_by_the_game_says_when_to_come_again() {
    let node = game::builder(|_| {})
        .admit(|arrival| match arrival.resumes {
            true => Err(Refusal::retry_after("one moment", Duration::from_millis(1_234))),
            false => Ok(()),
        })
        .start()
        .unwrap();
    let address = node.link_addresses()[0];
    let (_first, seat) = Wire::session(address, "parrot", "ann").await;
    let mut back = Wire::tcp(address).await;
    back.write(&seat.resume(1, 0, 0)).await;
    let Seen::Refused { code, retry_after_ms, text, .. } = back.next().await else {
        panic!("no refusal")
    };
    assert_eq!((code, retry_after_ms), (CloseCode::NotYet.number(), 1_234));
    assert_eq!(text, "one moment");
}

#[tokio::test]
async fn a_ban_hook_that_panics_refuses_and_disturbs_no_session() {
    static BROKEN: AtomicBool = AtomicBool::new(false);
    let node = game::builder(|config| config.node.workers = 1)
        .admit(|_| match BROKEN.load(Ordering::SeqCst) {
            true => panic!("asked to panic"),
            false => Ok(()),
        })
        .start()
        .unwrap();
    let address = node.link_addresses()[0];
    let mut ann = join(&node, "ann").await;
    let (mut wire, seat) = Wire::session(address, "parrot", "bob").await;
    wire.answer::<Answer>().await;
    BROKEN.store(true, Ordering::SeqCst);
    for first in [raw::hello("parrot", b"cid"), seat.resume(1, 0, 0)] {
        let mut stranger = Wire::tcp(address).await;
        stranger.write(&first).await;
        assert_eq!(stranger.code().await, CloseCode::LoadFailed.number());
    }
    wire.ask(1, 0, &Ask::Say(1)).await;
    assert_eq!(wire.answer::<Answer>().await, Answer::Said(1));
    player::is_served(&mut ann).await;
    BROKEN.store(false, Ordering::SeqCst);
    ann.cut();
    player::is_served(&mut ann).await;
}
