//! The names, and what of them is in which build.

#![allow(missing_docs)]

use std::collections::BTreeSet;

use throughline_canary::{Canary, canary};

#[test]
fn each_canary_has_a_name_a_promise_and_a_line() {
    assert!(Canary::ALL.len() >= 34);
    let names: BTreeSet<_> = Canary::NAMES.iter().collect();
    assert_eq!(names.len(), Canary::ALL.len(), "no name is there twice");
    for canary in Canary::ALL {
        assert_eq!(canary.name().parse(), Ok(*canary));
        assert!(canary.promise().starts_with('P') && !canary.breaks().is_empty());
    }
    assert!("no-such-bug".parse::<Canary>().is_err());
}

#[cfg(not(feature = "planted"))]
#[test]
fn without_the_feature_no_bug_can_be_planted() {
    const PLANTED: bool = canary!(NoFenceCheck) || throughline_canary::IS_PLANTED;
    const { assert!(!PLANTED) }
}

#[cfg(feature = "planted")]
#[test]
fn the_bug_that_was_chosen_is_planted_and_no_other() {
    assert!(throughline_canary::IS_PLANTED && !canary!(NoFenceCheck));
    for chosen in Canary::ALL {
        throughline_canary::choose(Some(*chosen));
        let planted = Canary::ALL.iter().filter(|canary| throughline_canary::is_planted(**canary));
        assert_eq!(planted.collect::<Vec<_>>(), [chosen]);
    }
    throughline_canary::choose(None);
    assert!(!canary!(NoFenceCheck));
}
