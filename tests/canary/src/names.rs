//! The names of all planted bugs.

use core::{fmt, str::FromStr};

use crate::UnknownCanary;

macro_rules! canaries {
    ($($canary:ident $name:literal $promise:literal: $breaks:literal)*) => {
        /// A bug that can be planted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Canary {
            $(#[doc = $breaks] $canary,)*
        }

        impl Canary {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$canary),*];

            /// The names of all, in the same order.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            /// What it does wrong, in a line.
            #[must_use]
            pub const fn breaks(self) -> &'static str {
                match self { $(Self::$canary => $breaks),* }
            }

            /// The promise that it breaks.
            #[must_use]
            pub const fn promise(self) -> &'static str {
                match self { $(Self::$canary => $promise),* }
            }
        }
    };
}

canaries! {
    NoFenceCheck "no-fence-check" "P3":
        "a turn's commit does not check the header, so a fenced owner still writes"
    ParkUnchecked "park-unchecked" "P3": "a park does not check the header"
    YieldUnchecked "yield-unchecked" "P3": "a yield does not check the header"
    ClaimUnchecked "claim-unchecked" "P3":
        "a parked record is claimed without a check of its header"
    TakeUnchecked "take-unchecked" "P3":
        "a dead owner's record is taken without a check of its header"
    CreateUnchecked "create-unchecked" "P3":
        "a record is created without a check that there is none"
    RemoveUnchecked "remove-unchecked" "P3": "a record is deleted without a check of its header"
    VersionNotBumped "version-not-bumped" "P3": "commits for a record leave its version as it is"
    EpochNotBumped "epoch-not-bumped" "P3": "a change of owner leaves the epoch as it is"
    TakeWithoutWaiting "take-without-waiting" "P3":
        "an owner that did not answer for a second is taken over, though its term is not over"
    SlowOwnerDead "slow-owner-dead" "P3":
        "the silence of others is counted without beats of one's own, so a store that \
         hangs kills them"
    MarkUnchecked "mark-unchecked" "P3":
        "a node is marked dead without a check of the beat that was seen"
    BeatsWhenDead "beats-when-dead" "P3":
        "a beat does not check that the node was not declared dead"
    ActsPastTerm "acts-past-term" "P3": "a node goes on acting after its term"
    LeaseFromAnswer "lease-from-answer" "P3":
        "the lease counts from the answer to a beat, not from before it was sent"
    FencedKeepsAll "fenced-keeps-all" "P3": "a node that was fenced keeps what it held"
    RefusalIgnored "refusal-ignored" "P3": "a commit that was refused counts as done"
    YieldToTheGone "yield-to-the-gone" "P4": "a record is yielded to a node that is gone or drains"
    YieldUnread "yield-unread" "P5":
        "a record is yielded to a node that cannot read its state version"
    NewestVersionWritten "newest-version-written" "P5":
        "state is written in a version that other live nodes cannot read"
    KeyUnchecked "key-unchecked" "P3": "a session key is taken without a check of who holds it"
    OldAttemptAccepted "old-attempt-accepted" "P10":
        "a resume is taken whose attempt is not above the counter"
    AttemptNotCommitted "attempt-not-committed" "P10":
        "a client is let in before its attempt is committed"
    ProofUnchecked "proof-unchecked" "P10": "the proof of a resume is not verified"
    UnknownTakenAsDone "unknown-taken-as-done" "P7": "a commit of unknown outcome counts as done"
    UnknownTakenAsRefused "unknown-taken-as-refused" "P7":
        "a commit of unknown outcome counts as refused"
    UnknownSettledByRead "unknown-settled-by-read" "P7":
        "an unknown outcome is settled by a read alone, so the commit may land later"
    EffectsBeforeRunning "effects-before-running" "P2":
        "a new owner acts before its first commit is in"
    AckBeforeCommit "ack-before-commit" "P8":
        "an ack leaves before the commit of the turn that it is for"
    EffectsBeforeCommit "effects-before-commit" "P7": "what a turn sends leaves before its commit"
    ReplyBeforeCommit "reply-before-commit" "P7": "an ask is answered before the commit of its turn"
    FailedTurnLeaves "failed-turn-leaves" "P7":
        "what a failed turn had staged leaves with the next one"
    FailedTurnKept "failed-turn-kept" "P7": "a failed turn keeps what it changed of the state"
    PoisonForEver "poison-for-ever" "P9":
        "an input that fails its turn is tried far beyond its limit"
    AskSentTwice "ask-sent-twice" "P7":
        "an ask is sent again after its connection broke, though it may have run"
    LifeKept "life-kept" "P2":
        "a VActor that begins anew after a loss keeps its life, so nobody hears of the loss"
    LossNotTold "loss-not-told" "P2":
        "a VActor that begins anew after a loss is told that it was created"
    LoadFailureIsDefault "load-failure-is-default" "P2":
        "a VActor that cannot be loaded begins with a default state"
    StaleSnapshotAccepted "stale-snapshot-accepted" "P2":
        "a snapshot is kept while its session runs on, and a resume takes it though its \
         client saw more"
    ExpiresEarly "expires-early" "P5": "a parked session expires at once"
    SwapOutForgetsStaged "swap-out-forgets-staged" "P6":
        "a durable message of a turn that ends while a swap-out is wanted is forgotten"
    SwapOutForgetsTimers "swap-out-forgets-timers" "P5": "a snapshot has no timers"
    ReminderTwice "reminder-twice" "P7":
        "the commit of a reminder's turn does not use the reminder up"
    ParkForgetsReminder "park-forgets-reminder" "P4":
        "a VActor is parked without the time of its reminder"
    DrainIgnoresNewcomers "drain-ignores-newcomers" "P4":
        "a drain leaves without another look at what it owns"
    DrainLeavesEarly "drain-leaves-early" "P4":
        "a drain does not wait for the last swap-outs before it leaves"
    TakenOverNotSaid "taken-over-not-said" "P5":
        "an older connection is not told that it was taken over"
    DuplicateDelivered "duplicate-delivered" "P1":
        "messages that the peer has are sent again, and not dropped there"
    GapAccepted "gap-accepted" "P1": "a message above the next number is taken"
    AckOnReceive "ack-on-receive" "P1": "an ack counts what was received, not what was handled"
    HandoverForgetsRetained "handover-forgets-retained" "P1":
        "retained messages do not travel with a handover"
    ResumeForgetsRetained "resume-forgets-retained" "P1":
        "retained messages are not sent again on a resume"
    RetainedUnlimited "retained-unlimited" "P9": "the limit on retained messages is not enforced"
    WindowIgnored "window-ignored" "P9": "the window towards the client is not enforced"
    QueuedNotDeleted "queued-not-deleted" "P6":
        "a queue message is not deleted by the commit of its turn"
    QueuedDeletedFirst "queued-deleted-first" "P6":
        "a queue message is deleted by a commit before that of its turn"
    QueuedDeletedLater "queued-deleted-later" "P6":
        "a queue message is deleted by a commit after that of its turn"
    ExpiredDelivered "expired-delivered" "P6": "a message that has expired is delivered"
    EnqueueTimeGoesBack "enqueue-time-goes-back" "P6":
        "the time of a producer's positions goes back with the clock"
    DequeueUpToMax "dequeue-up-to-max" "P6":
        "a dequeue deletes all that is not behind the last message it read"
    DequeueUnchecked "dequeue-unchecked" "P6":
        "a dequeue does not check that what it read is still there"
    TokenNotKept "token-not-kept" "P6": "the batch of a token is not kept"
    NoRegularLook "no-regular-look" "P6": "queues are not looked at unless somebody pokes"
    StoreTornBatch "store-torn-batch" "P7": "the in-memory store drops a write of a large batch"
    StoreSkipsLastCheck "store-skips-last-check" "P3":
        "the in-memory store leaves out the last check of a batch"
    StoreAnswersEarly "store-answers-early" "P8":
        "the faulty store answers before a commit is synced, and a crash loses the last one"
}

impl Canary {
    /// Its name, as it is chosen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

impl FromStr for Canary {
    type Err = UnknownCanary;

    fn from_str(name: &str) -> Result<Self, UnknownCanary> {
        let found = Self::ALL.iter().find(|canary| canary.name() == name);
        found.copied().ok_or_else(|| UnknownCanary(name.to_owned()))
    }
}

impl fmt::Display for Canary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
