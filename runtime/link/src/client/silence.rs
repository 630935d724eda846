//! Whether a live connection still leads to the node: pings, and when silence is too long.

use core::time::Duration;

use crate::{
    defaults::{ANSWER_LATE, ANSWER_MIN, ANSWER_ROUND_TRIPS, HALF_OPEN_HEARTBEATS},
    time::Instant,
};

/// What is known of the present connection.
#[derive(Debug, Default)]
pub(super) struct Silence {
    /// When something was last heard.
    heard: Instant,
    /// When something left that the node answers, a Ping or a message; nothing was heard since.
    asked: Option<Instant>,
    /// A Ping was sent since then.
    pinged: bool,
    /// When the next Ping is due in any case.
    next_ping: Instant,
}

impl Silence {
    /// A connection is live; its first Ping is due.
    pub(super) const fn begin(&mut self, now: Instant) {
        *self = Self { heard: now, asked: None, pinged: false, next_ping: now };
    }

    #[inline]
    pub(super) const fn hear(&mut self, now: Instant) {
        self.heard = now;
        self.asked = None;
        self.pinged = false;
    }

    /// Something leaves that the node answers.
    #[inline]
    pub(super) const fn ask(&mut self, now: Instant) {
        if self.asked.is_none() {
            self.asked = Some(now);
        }
    }

    /// A Ping leaves.
    pub(super) fn ping(&mut self, now: Instant, heartbeat: Duration) {
        self.ask(now);
        self.pinged = true;
        self.next_ping = now + heartbeat;
    }

    /// When the next Ping is due: sooner if a message has no answer for half of a heartbeat. The
    /// answer to a message may have to wait, that to a Ping does not.
    #[inline]
    pub(super) fn ping_at(&self, heartbeat: Duration) -> Instant {
        match self.asked {
            Some(at) if !self.pinged => self.next_ping.min(at + heartbeat / 2),
            _ => self.next_ping,
        }
    }

    /// When the connection counts as half-open: after two heartbeats in which nothing was heard,
    /// and after one, of a second at least, if something was asked at its beginning.
    #[inline]
    pub(super) fn half_open_at(&self, heartbeat: Duration, rtt: Option<Duration>) -> Instant {
        let silent = self.heard + heartbeat * HALF_OPEN_HEARTBEATS;
        let Some(asked) = self.asked else { return silent };
        let trips = rtt.unwrap_or_default().saturating_mul(ANSWER_ROUND_TRIPS);
        silent.min(asked + heartbeat.max(trips).max(ANSWER_MIN))
    }

    /// Whether it is. Who looks much later than it was due stood still itself, and the answer may
    /// wait to be read: it is asked for once more.
    pub(super) fn is_half_open(
        &mut self,
        now: Instant,
        heartbeat: Duration,
        rtt: Option<Duration>,
    ) -> bool {
        let at = self.half_open_at(heartbeat, rtt);
        if at > now {
            return false;
        }
        let is_silent = self.heard + heartbeat * HALF_OPEN_HEARTBEATS <= now;
        if is_silent || now.since(at) < ANSWER_LATE {
            return true;
        }
        (self.asked, self.pinged, self.next_ping) = (None, false, now);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEARTBEAT: Duration = Duration::from_millis(2_500);

    fn at(ms: u64) -> Instant {
        Instant::from_micros(ms * 1_000)
    }

    fn live() -> Silence {
        let mut silence = Silence::default();
        silence.begin(at(0));
        silence.ping(at(0), HEARTBEAT);
        silence.hear(at(10));
        silence
    }

    fn half_open_at(silence: &Silence) -> Instant {
        silence.half_open_at(HEARTBEAT, Some(Duration::from_millis(10)))
    }

    #[test]
    fn a_message_without_an_answer_is_pinged_after_and_then_given_up_after_a_heartbeat() {
        let mut silence = live();
        silence.ask(at(1_000));
        silence.ask(at(1_900));
        assert_eq!(silence.ping_at(HEARTBEAT), at(2_250));
        silence.ping(at(2_250), HEARTBEAT);
        assert_eq!(silence.ping_at(HEARTBEAT), at(4_750));
        assert_eq!(half_open_at(&silence), at(3_500));
        assert!(!silence.is_half_open(at(3_499), HEARTBEAT, None));
        assert!(silence.is_half_open(at(3_500), HEARTBEAT, None));
    }

    #[test]
    fn an_answer_of_any_kind_ends_the_wait() {
        let mut silence = live();
        silence.ask(at(1_000));
        silence.hear(at(3_400));
        assert_eq!(silence.ping_at(HEARTBEAT), at(2_500));
        assert_eq!(half_open_at(&silence), at(8_400));
    }

    #[test]
    fn who_asks_nothing_waits_for_two_heartbeats_at_most() {
        let mut silence = live();
        assert_eq!(half_open_at(&silence), at(5_010));
        // The Ping that is due tells sooner, unless it leaves late.
        silence.ping(at(2_500), HEARTBEAT);
        assert_eq!(half_open_at(&silence), at(5_000));
        assert!(silence.is_half_open(at(60_000), HEARTBEAT, None));
    }

    #[test]
    fn a_slow_way_has_four_round_trips_and_never_more_than_two_heartbeats() {
        let mut silence = live();
        silence.ask(at(1_000));
        let within = |ms| silence.half_open_at(HEARTBEAT, Some(Duration::from_millis(ms)));
        assert_eq!(within(800), at(4_200));
        assert_eq!(within(2_000), at(5_010));
    }

    #[test]
    fn a_busy_node_has_a_second_where_heartbeats_are_shorter_and_two_of_them_at_most() {
        let mut silence = live();
        silence.ask(at(100));
        let within = |ms| silence.half_open_at(Duration::from_millis(ms), None);
        assert_eq!(within(700), at(1_100));
        assert_eq!(within(200), at(410));
    }

    #[test]
    fn who_stood_still_itself_asks_again() {
        let mut silence = live();
        silence.ask(at(1_000));
        assert!(!silence.is_half_open(at(4_400), HEARTBEAT, None));
        assert_eq!(silence.ping_at(HEARTBEAT), at(4_400));
        silence.ping(at(4_400), HEARTBEAT);
        assert!(silence.is_half_open(at(5_010), HEARTBEAT, None));
    }
}
