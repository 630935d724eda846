//! The session moves to another node, or the client's process is replaced, at any moment.

use throughline_link::{CloseCode, SendError};

use crate::{
    fixture::{live, strangers},
    pair::{Pair, SECOND},
};

/// Steps of the conversation below.
const STEPS: usize = 80;

/// Both sides speak; after `step` steps, `act` happens.
fn act_after(step: usize, act: &mut dyn FnMut(&mut Pair)) -> Pair {
    let mut pair = strangers();
    pair.host.echoes = true;
    pair.connect();
    for number in 0..STEPS {
        if number == step {
            act(&mut pair);
        }
        if number % 3 == 0 && pair.client.send() == Err(SendError::Ended) {
            break;
        }
        if number % 4 == 0 {
            pair.host.send();
        }
        pair.run_step();
    }
    pair
}

#[test]
fn p1_a_handover_at_any_step_loses_nothing() {
    for step in 0..STEPS {
        let mut pair = act_after(step, &mut |pair| {
            if pair.host.last.is_some() {
                pair.handover();
            }
        });
        pair.settle();
        assert!(pair.is_all_through());
        assert_eq!(pair.client.end(), None);
    }
}

#[test]
fn p1_a_reload_of_the_client_at_any_step_loses_nothing() {
    for step in 0..STEPS {
        let mut pair = act_after(step, &mut |pair| {
            if let Some(saved) = pair.client.save() {
                pair.load_client(&saved);
            }
        });
        pair.settle();
        assert!(pair.is_all_through());
        assert_eq!(pair.client.end(), None);
    }
}

#[test]
fn p1_a_handover_and_a_reload_at_once_lose_nothing() {
    for step in 0..STEPS {
        let mut pair = act_after(step, &mut |pair| {
            if let Some(saved) = pair.client.save() {
                pair.handover();
                pair.load_client(&saved);
                pair.handover();
            }
        });
        pair.settle();
        assert!(pair.is_all_through());
    }
}

#[test]
fn p2_a_node_with_a_snapshot_older_than_what_the_client_saw_ends_the_session_as_lost() {
    let mut lost = 0;
    for age in 1..STEPS {
        for step in (age..STEPS).step_by(7) {
            let mut saved = None;
            let mut pair = strangers();
            pair.host.echoes = true;
            pair.connect();
            for number in 0..STEPS {
                if number + age == step && pair.host.last.is_some() {
                    saved = Some(pair.host.session().save());
                }
                if number == step
                    && let Some(saved) = &saved
                {
                    pair.load_host(saved);
                }
                if number % 3 == 0 && pair.client.send() == Err(SendError::Ended) {
                    break;
                }
                pair.run_step();
            }
            pair.settle();
            // Whoever goes on has no gap: handlers check each message. Else both sides know.
            let end = pair.client.end();
            assert_eq!(end, pair.host.session().end);
            assert!(matches!(end, None | Some(CloseCode::Lost)), "{end:?}");
            lost += u32::from(end.is_some());
        }
    }
    assert!(lost > 50, "only {lost} of the snapshots were too old");
}

#[test]
fn p2_a_node_that_knows_less_handled_than_its_client_refuses_as_lost() {
    let mut pair = live();
    let saved = pair.host.session().save();
    pair.client.send().unwrap();
    pair.run(SECOND);
    assert_eq!(pair.client.link.numbering().acked(), 1);
    pair.load_host(&saved);
    pair.run(SECOND);
    assert_eq!(pair.host.refusals, [CloseCode::Lost]);
    assert_eq!(pair.client.end(), Some(CloseCode::Lost));
    assert_eq!(pair.host.session().end, Some(CloseCode::Lost));
}

#[test]
fn a_reload_resumes_although_the_old_process_has_made_further_tries() {
    let mut pair = live();
    let saved = pair.client.save().unwrap();
    for _ in 0..20 {
        pair.net.break_all(pair.now);
        pair.run(SECOND);
    }
    assert_eq!(pair.client.dials.len(), 21);
    pair.load_client(&saved);
    pair.run(SECOND);
    assert!(pair.client.link.is_live());
    assert_eq!(pair.host.refusals, []);
}

#[test]
fn p2_a_client_older_than_its_own_acks_is_lost_on_both_sides() {
    let mut pair = live();
    let saved = pair.client.save().unwrap();
    pair.host.send();
    pair.run(SECOND);
    assert_eq!(pair.client.handled, 1);
    pair.load_client(&saved);
    pair.run(SECOND);
    assert_eq!(pair.client.end(), Some(CloseCode::Lost));
    assert_eq!(pair.host.session().end, Some(CloseCode::Lost));
}

#[test]
fn p2_a_client_that_forgot_what_it_sent_is_lost_on_both_sides() {
    let mut pair = live();
    let saved = pair.client.save().unwrap();
    pair.client.send().unwrap();
    pair.run(SECOND);
    pair.load_client(&saved);
    pair.settle();
    assert_eq!(pair.client.end(), Some(CloseCode::Lost));
    assert_eq!(pair.host.session().end, Some(CloseCode::Lost));
}

#[test]
fn an_export_is_refused_if_it_is_newer_cut_short_or_longer() {
    use throughline_link::{ClientLink, ImportError, NodeLink};

    let mut pair = live();
    pair.host.holds = true;
    pair.client.send().unwrap();
    pair.host.send();
    let (now, config) = (pair.time(), pair.host.config.clone());
    let node = pair.host.session().link.export();
    let client = pair.client.link.export().unwrap();
    for length in 0..node.len() {
        let cut = NodeLink::import(config.clone(), &node[..length], now);
        assert!(matches!(cut, Err(ImportError::Damaged(_))), "{length}");
    }
    for length in 0..client.len() {
        let cut = ClientLink::import(pair.client.config.clone(), &client[..length]);
        assert!(matches!(cut, Err(ImportError::Damaged(_))), "{length}");
    }
    let longer = NodeLink::import(config.clone(), &[&node[..], &[0]].concat(), now);
    assert!(matches!(longer, Err(ImportError::Damaged(_))));
    let newer = NodeLink::import(config, &[&[9], &node[1..]].concat(), now);
    assert_eq!(newer.err(), Some(ImportError::Newer { found: 9, known: 1 }));
    let newer = ClientLink::import(pair.client.config.clone(), &[&[9], &client[1..]].concat());
    assert_eq!(newer.err(), Some(ImportError::Newer { found: 9, known: 1 }));
}

#[test]
fn an_end_that_travelled_is_an_event_again_only_when_it_is_raised() {
    use throughline_link::{NodeEvent, NodeLink};

    let mut pair = live();
    let (now, config) = (pair.time(), pair.host.config.clone());
    let import = |bytes: &[u8]| NodeLink::import(config.clone(), bytes, now).unwrap();
    let mut link = import(&pair.host.session().link.export());
    link.raise_end();
    assert_eq!(link.poll_event(), None, "it has not ended");
    link.end(CloseCode::Ended);
    let mut link = import(&link.export());
    assert_eq!(link.poll_event(), None, "its driver was through with it");
    link.raise_end();
    assert_eq!(link.poll_event(), Some(NodeEvent::Ended(CloseCode::Ended)));
    assert_eq!(link.poll_event(), None, "once");
}
