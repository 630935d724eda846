//! Every step, in every role that takes it.

use futures_util::future::BoxFuture;

use crate::cluster::{Of, Settings};
use crate::kill_at::Moment;
use crate::run::Scene;
use crate::situations as s;
use crate::step::Step;

/// How a step comes about, and how it ends: the situation plays up to the death, and says what
/// must have become of its players.
pub(crate) type Situation = for<'a> fn(&'a mut Scene) -> BoxFuture<'a, ()>;

/// A step, who takes it, and how it comes about.
type Listed = (Step, &'static str, Settings, Situation);

/// A kill.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    /// Its place in the table.
    pub(crate) place: usize,
    pub(crate) step: Step,
    /// Who takes the step, and why.
    pub(crate) role: &'static str,
    pub(crate) moment: Moment,
    pub(crate) settings: Settings,
    pub(crate) situation: Situation,
}

impl Case {
    /// The test's name.
    pub(crate) fn name(&self) -> String {
        let Self { step, role, moment, settings, .. } = self;
        let words = |text: &str| text.replace(", ", "_").replace([' ', '-'], "_");
        let (number, name, role) = (step.number(), words(step.name()), words(role));
        let of = match settings.of {
            Of::Sessions => "",
            Of::CrashProof => "of_a_crash_proof_session_",
            Of::VActor => "of_a_vactor_",
            Of::LooseVActor => "of_a_loose_vactor_",
        };
        format!("step_{number:02}_{name}_{of}by_{role}_{}", moment.name())
    }
}

macro_rules! situations {
    ($($step:ident, $role:literal, $settings:expr, $situation:path;)+) => {
        [$((Step::$step, $role, $settings, (|scene| Box::pin($situation(scene))) as Situation),)+]
    };
}

/// How soon sessions expire where they are to. A drain that has not seen yet that a client is away
/// gives it a second to come elsewhere, and must park its session before that expires there.
const BRIEF_MS: u64 = 3_000;

/// All of them.
pub(crate) fn all() -> Vec<Case> {
    let both = |(place, (step, role, settings, situation))| {
        Moment::BOTH.map(|moment| Case { place, step, role, moment, settings, situation })
    };
    let vactors = of_vactors().into_iter().chain(of_loose_vactors());
    let sessions = [of_sessions(), of_nodes(), of_crash_proof_sessions()].concat();
    sessions.into_iter().chain(vactors).enumerate().flat_map(both).collect()
}

fn of_sessions() -> Vec<Listed> {
    let usual = Settings::default();
    let mute = Settings { mute: true, ..usual };
    let brief = Settings { session_timeout_ms: BRIEF_MS, ..usual };
    let forgetful = Settings { ended_memory_ms: 1_000, ..usual };
    let hookless = Settings { no_last_hook: true, ..brief };
    situations![
        Create, "owner", usual, s::login::create;
        TurnNew, "owner", usual, s::login::turn;
        TurnRunning, "owner that sends durably", usual, s::durable::is_sent;
        TurnRunning, "owner that takes a message", usual, s::durable::is_taken;
        TurnHanded, "asker", usual, s::hop::first_turn_of_the_asker;
        TurnHanded, "claimer", usual, s::park::first_turn_of_the_claimer;
        TurnHanded, "taker", usual, s::take::first_turn_of_the_taker;
        TurnHanded, "sweeper of the expired", brief, s::park::last_turn_of_the_expired;
        Settle, "asker, turn landed", usual, s::settle::turn_that_landed;
        Settle, "asker, turn lost", usual, s::settle::turn_that_was_lost;
        Settle, "owner, yield lost", usual, s::settle::yield_that_was_lost;
        Settle, "owner, park lost", usual, s::settle::park_that_was_lost;
        Settle, "owner, end lost", usual, s::settle::end_that_was_lost;
        Settle, "owner, key landed", usual, s::settle::key_that_landed;
        Settle, "owner, key lost", usual, s::settle::key_that_was_lost;
        Park, "drainer", usual, s::park::by_a_drain;
        Park, "asker that cannot load", usual, s::park::by_a_node_that_cannot_load;
        Park, "drainer that has not started it", usual, s::unheld::park_by_a_drain;
        Park, "sweeper of its own", usual, s::unheld::park_by_a_sweep;
        Park, "holder of a key that has not started it", usual, s::unheld::park_for_a_key;
        Park, "taker of its key", usual, s::unheld::taker_of_a_holder;
        End, "owner", usual, s::end::by_the_game;
        End, "owner whose client leaves", usual, s::end::by_the_client;
        End, "sweeper of the expired", brief, s::park::end_of_the_expired;
        End, "holder of a key", usual, s::end::by_the_holder_of_a_key;
        End, "taker of its key", usual, s::key::taker_of_a_holder;
        End, "sweeper of its own", usual, s::end::by_the_sweep_of_a_node_itself;
        End, "owner that has it in no memory", usual, s::unheld::end_for_its_client;
        End, "owner that is asked and has it in no memory", usual, s::unheld::end_for_another_node;
        End, "drainer that has it in no memory", usual, s::unheld::end_by_a_drain;
        End, "holder of a key that has it in no memory", usual, s::unheld::end_for_a_key;
        End, "asker of who has it in no memory", usual, s::unheld::asker_of_the_lost;
        Yield, "owner", usual, s::hop::yield_of_the_owner;
        Yield, "drainer", usual, s::hop::yield_in_a_drain;
        Yield, "owner asked through the store", mute, s::hop::yield_of_the_owner;
        Yield, "owner that has not started it", usual, s::unheld::passed_on;
        Yield, "asker", usual, s::hop::asker_of_the_owner;
        Yield, "asker through the store", mute, s::hop::asker_of_the_owner;
        Yield, "asker of who has not started it", usual, s::unheld::asker_of_the_unstarted;
        Claim, "claimer", usual, s::park::claim;
        Claim, "sweeper of the expired", brief, s::park::claim_of_the_expired;
        TakeHere, "taker", usual, s::take::by_a_resume;
        TakePark, "sweeper", usual, s::take::by_a_sweep;
        TakeLost, "sweeper", usual, s::take::of_the_lost;
        TakeLost, "node that its client comes to", usual, s::take::of_the_lost_by_a_resume;
        Seize, "seizer of what was handed", usual, s::seize::what_was_handed;
        Request, "asker", mute, s::hop::request;
        Answered, "owner", mute, s::hop::answer_to_a_request;
        Answered, "asker", mute, s::hop::asker_of_the_owner;
        Key, "taker", usual, s::key::that_nobody_holds;
        Key, "taker from a parked one", usual, s::key::of_a_parked_session;
        Key, "taker from a dead owner", usual, s::key::of_a_dead_owner;
        Remove, "owner", usual, s::end::and_is_forgotten_at_once;
        Remove, "sweeper", forgetful, s::end::and_is_swept;
        Remove, "sweeper of the expired that have no last hook", hookless, s::park::is_dropped;
    ]
    .to_vec()
}

/// What nodes do for themselves; sessions are there.
fn of_nodes() -> Vec<Listed> {
    let usual = Settings::default();
    let smaller = Settings { nodes: 2, ..usual };
    situations![
        Join, "joiner", smaller, s::nodes::join;
        Join, "joiner after a death", usual, s::nodes::join_again;
        Beat, "owner", usual, s::nodes::beat;
        Mark, "marker", usual, s::nodes::mark;
        Drain, "drainer", usual, s::nodes::drain;
        Leave, "drainer", usual, s::nodes::leave;
        Forget, "sweeper", usual, s::nodes::forget;
    ]
    .to_vec()
}

/// What is the same for all sessions is not listed again. Requests (10) are not left for what is
/// crash-proof: it is seized.
fn of_crash_proof_sessions() -> Vec<Listed> {
    let usual = Settings { of: Of::CrashProof, ..Settings::default() };
    let mute = Settings { mute: true, ..usual };
    let brief = Settings { session_timeout_ms: BRIEF_MS, ..usual };
    situations![
        Create, "owner", usual, s::login::create;
        TurnNew, "owner", brief, s::login::turn;
        TurnHanded, "asker", usual, s::hop::first_turn_of_the_asker;
        TurnHanded, "claimer", usual, s::park::first_turn_of_the_claimer;
        TurnHanded, "taker", usual, s::take::first_turn_of_the_taker;
        TurnHanded, "seizer", mute, s::hop::first_turn_of_the_seizer;
        TurnHanded, "sweeper of the expired", brief, s::park::last_turn_of_the_expired;
        Turn, "owner", usual, s::login::later_turn;
        Turn, "taker", usual, s::take::second_turn_of_the_taker;
        TurnResume, "owner", usual, s::login::comes_back;
        Settle, "owner, turn landed", usual, s::settle::turn_of_the_owner_that_landed;
        Settle, "owner, turn lost", usual, s::settle::turn_of_the_owner_that_was_lost;
        Settle, "asker, turn landed", usual, s::settle::turn_that_landed;
        Settle, "owner, yield lost", usual, s::settle::yield_that_was_lost;
        Settle, "owner, park lost", usual, s::settle::park_that_was_lost;
        Settle, "owner, end lost", usual, s::settle::end_that_was_lost;
        Settle, "owner, key landed", usual, s::settle::key_that_landed;
        Settle, "owner, key lost", usual, s::settle::key_that_was_lost;
        Park, "drainer", usual, s::park::by_a_drain;
        End, "owner", usual, s::end::by_the_game;
        End, "owner whose client leaves", brief, s::end::by_the_client;
        End, "sweeper of the expired", brief, s::park::end_of_the_expired;
        End, "holder of a key", usual, s::end::by_the_holder_of_a_key;
        Yield, "owner", usual, s::hop::yield_of_the_owner;
        Yield, "drainer", usual, s::hop::yield_in_a_drain;
        Claim, "claimer", usual, s::park::claim;
        TakeHere, "taker", usual, s::take::by_a_resume;
        TakePark, "sweeper", usual, s::take::by_a_sweep;
        Seize, "seizer from a dead owner", usual, s::seize::from_the_killed;
        Seize, "seizer from a silent owner", mute, s::seize::from_the_silent;
        Seize, "seizer from a frozen owner", usual, s::seize::from_the_frozen;
        Seize, "silent owner", mute, s::seize::owner_of_the_seized;
        Key, "taker", usual, s::key::that_nobody_holds;
        Key, "taker from a parked one", usual, s::key::of_a_parked_session;
        Key, "taker from a dead owner", usual, s::key::of_a_dead_owner;
        Beat, "owner", usual, s::nodes::beat;
        Drain, "drainer", usual, s::nodes::drain;
    ]
    .to_vec()
}

fn of_vactors() -> Vec<Listed> {
    let usual = Settings { of: Of::VActor, ..Settings::default() };
    situations![
        Create, "asker", usual, s::vactor::begins_and_dies;
        TurnNew, "asker", usual, s::vactor::begins_and_dies;
        TurnHanded, "claimer", usual, s::vactor::is_claimed;
        TurnHanded, "taker", usual, s::vactor::is_taken;
        TurnHanded, "who gets it from a drain", usual, s::vactor::is_started_by_who_gets_it;
        Turn, "owner", usual, s::vactor::turn;
        Settle, "owner, turn landed", usual, s::vactor::settles_a_turn_that_landed;
        Settle, "owner, turn lost", usual, s::vactor::settles_a_turn_that_was_lost;
        Park, "owner", usual, s::vactor::is_parked;
        End, "owner", usual, s::vactor::is_forgotten;
        Yield, "drainer", usual, s::vactor::is_yielded;
        Claim, "claimer", usual, s::vactor::is_claimed;
        TakeHere, "taker", usual, s::vactor::is_taken;
        TakePark, "sweeper", usual, s::vactor::is_parked_by_a_sweep;
    ]
    .to_vec()
}

/// What is the same as for a crash-proof one is listed again: a kill means something else.
fn of_loose_vactors() -> Vec<Listed> {
    let usual = Settings { of: Of::LooseVActor, ..Settings::default() };
    situations![
        Create, "asker", usual, s::vactor::begins_and_dies;
        TurnHanded, "claimer", usual, s::vactor::is_claimed;
        TurnHanded, "who gets it from a drain", usual, s::vactor::is_started_by_who_gets_it;
        TurnRunning, "owner that sends durably", usual, s::vactor::sends;
        TurnRunning, "owner that takes a message", usual, s::vactor::takes_a_message;
        Restart, "owner that has it in no memory", usual, s::vactor::begins_anew_where_it_was;
        Settle, "asker that created it", usual, s::vactor::settles_its_creation;
        Park, "owner", usual, s::vactor::is_parked;
        End, "owner", usual, s::vactor::is_forgotten;
        Yield, "drainer", usual, s::vactor::is_yielded;
        Claim, "claimer", usual, s::vactor::is_claimed;
        TakeNew, "asker", usual, s::vactor::is_taken_anew;
        TakeNew, "sweeper", usual, s::vactor::is_taken_anew_by_a_sweep;
        TurnNew, "asker that took it", usual, s::vactor::is_taken_anew;
    ]
    .to_vec()
}
