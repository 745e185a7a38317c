// SPDX-License-Identifier: MPL-2.0
//! How much may be under way: RFC 9260 §7.2, but loss that is not congestion does not slow it down.
//!
//! RFC 9260's rule halves the window at each loss, so 1 % of loss on a path of 20 ms leaves some 0.7 MB/s
//! whatever the path could carry. Here a loss counts as congestion if round trips have become longer, which
//! means that a queue has built up, or if more is lost than radio links and tests lose by themselves. Then
//! the window becomes what the path was measured to carry without a queue (TCP Westwood+, Mascolo et al.
//! 2001), but no less than RFC 9260 would leave.
use std::time::{Duration, Instant};

/// RFC 6928's.
const INITIAL_PACKETS: usize = 10;
const LEAST_PACKETS: usize = 4;
/// More under way is of no use: the windows of all implementations known are smaller.
const MOST: usize = 6 * 1024 * 1024;
/// Queueing that is less is none: schedulers of busy machines delay as much.
const QUEUE: Duration = Duration::from_millis(25);
/// Slow start ends after so many round trips with a queue.
const QUEUED_ROUNDS: u32 = 2;
/// While no queue builds up the window grows by this share each round trip: probing as BBR does, for one
/// packet a round trip takes minutes to fill a fast path.
const PROBE: usize = 8;
/// More lost than this share, by more than chance, is congestion whatever the delay.
const LOSSY: f64 = 0.07;
/// Packets over which the share is reckoned.
const SHARE_OVER: f64 = 1000.0;
/// Round trips over which the most that was delivered counts.
const ROUNDS: usize = 8;

#[derive(Debug)]
pub(crate) struct Congestion {
    mtu: usize,
    window: usize,
    threshold: usize,
    /// Acknowledged in congestion avoidance, less than a window.
    partial: usize,
    /// After a cut nothing is cut again until packets sent after it are acknowledged.
    recovery: Option<u64>,
    round: Round,
    /// Bytes a second of the last round trips.
    rates: [f64; ROUNDS],
    /// Round trips in a row with a queue.
    queued: u32,
    lost: f64,
    all: f64,
}

/// What happened since a packet that has not been acknowledged was sent.
#[derive(Debug)]
struct Round {
    /// The first packet of the next round.
    end: u64,
    from: Option<Instant>,
    delivered: usize,
    shortest: Duration,
    number: usize,
}

impl Congestion {
    pub(crate) fn new(mtu: usize) -> Self {
        Self {
            mtu,
            window: INITIAL_PACKETS * mtu,
            threshold: MOST,
            partial: 0,
            recovery: None,
            round: Round {
                end: 0,
                from: None,
                delivered: 0,
                shortest: Duration::MAX,
                number: 0,
            },
            rates: [0.0; ROUNDS],
            queued: 0,
            lost: 0.0,
            all: 0.0,
        }
    }

    /// Bytes that may be under way.
    pub(crate) fn window(&self) -> usize {
        self.window
    }

    /// Packets up to `newest` have been acknowledged, `sent` of all that were sent; `busy`: the window was
    /// full before.
    pub(crate) fn acknowledged(
        &mut self,
        ack: &Acknowledged,
        least: Option<Duration>,
        now: Instant,
    ) {
        self.all += ack.packets;
        self.age();
        if self.recovery.is_some_and(|end| ack.newest > end) {
            self.recovery = None;
        }
        self.round.delivered += ack.bytes;
        if let Some(rtt) = ack.rtt {
            self.round.shortest = self.round.shortest.min(rtt);
        }
        if ack.newest >= self.round.end {
            self.end_round(ack.next, least, now);
        }
        if !ack.busy || self.recovery.is_some() {
            return;
        }
        if self.window < self.threshold {
            self.window += ack.bytes;
        } else {
            self.partial += ack.bytes;
            if self.partial >= self.window {
                self.partial -= self.window;
                self.window += match self.queued {
                    0 => self.mtu.max(self.window / PROBE),
                    _ => self.mtu,
                };
            }
        }
        self.window = self.window.min(MOST);
    }

    fn end_round(&mut self, next: u64, least: Option<Duration>, now: Instant) {
        if let Some(from) = self.round.from {
            let time = now.saturating_duration_since(from).max(GRAIN);
            self.rates[self.round.number % ROUNDS] =
                self.round.delivered as f64 / time.as_secs_f64();
            self.queued = match self.queueing(least) {
                true => self.queued + 1,
                false => 0,
            };
            // Slow start ends where a queue begins to build up, before anything is lost (RFC 9406).
            if self.window < self.threshold && self.queued >= QUEUED_ROUNDS {
                self.threshold = self.window;
            }
        }
        self.round = Round {
            end: next,
            from: Some(now),
            delivered: 0,
            shortest: Duration::MAX,
            number: self.round.number + 1,
        };
    }

    /// Whether round trips of this round are longer than the least by more than chance.
    fn queueing(&self, least: Option<Duration>) -> bool {
        let shortest = self.round.shortest;
        least.is_some_and(|least| {
            shortest != Duration::MAX && shortest > least + (least / 2).max(QUEUE)
        })
    }

    /// Packets were lost; `next` is the number of the next one to be sent.
    pub(crate) fn lost(&mut self, packets: f64, next: u64, least: Option<Duration>) {
        self.lost += packets;
        self.all += packets;
        if self.recovery.is_some() {
            return;
        }
        let expected = LOSSY * self.all.max(10.0);
        let lossy = self.lost > expected + 3.0 * expected.sqrt();
        if lossy || self.queueing(least) {
            // Where much is lost without a queue, what was carried says nothing of what can be.
            self.cut(least.filter(|_| !lossy));
            self.window = self.threshold;
            self.recovery = Some(next);
        }
    }

    /// Nothing was acknowledged for long (RFC 9260 §7.2.3).
    pub(crate) fn silence(&mut self, next: u64, least: Option<Duration>) {
        self.cut(least);
        self.window = 2 * self.mtu;
        self.recovery = Some(next);
    }

    fn cut(&mut self, least: Option<Duration>) {
        let rate = self.rates.iter().copied().fold(0.0, f64::max);
        let carried = least.map_or(0.0, |least| rate * least.as_secs_f64()) as usize;
        let floor = (self.window / 2).max(LEAST_PACKETS * self.mtu);
        self.threshold = carried.clamp(floor, self.window.max(floor));
        self.partial = 0;
    }

    fn age(&mut self) {
        if self.all > SHARE_OVER {
            self.all /= 2.0;
            self.lost /= 2.0;
        }
    }
}

/// What an acknowledgement tells.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Acknowledged {
    /// Bytes that were not acknowledged before.
    pub(crate) bytes: usize,
    /// About as many packets.
    pub(crate) packets: f64,
    /// Of packets sent once.
    pub(crate) rtt: Option<Duration>,
    /// The newest packet that is acknowledged now.
    pub(crate) newest: u64,
    /// The number of the next packet to be sent.
    pub(crate) next: u64,
    /// The window was in use.
    pub(crate) busy: bool,
}

const GRAIN: Duration = Duration::from_micros(50);

#[cfg(test)]
mod tests {
    use super::*;

    const MTU: usize = 1160;
    const LEAST: Duration = Duration::from_millis(20);

    /// Rounds of full windows of which every nth packet is lost.
    fn rounds(congestion: &mut Congestion, count: usize, loss: usize, rtt: Duration) {
        let mut now = Instant::now();
        let mut number = 1;
        for _ in 0..count {
            now += rtt;
            let end = number + (congestion.window() / MTU) as u64;
            while number < end {
                number += 1;
                if loss > 0 && number.is_multiple_of(loss as u64) {
                    congestion.lost(1.0, end, Some(LEAST));
                    continue;
                }
                let ack = Acknowledged {
                    bytes: MTU,
                    packets: 1.0,
                    rtt: Some(rtt),
                    newest: number,
                    next: end,
                    busy: true,
                };
                congestion.acknowledged(&ack, Some(LEAST), now);
            }
        }
    }

    #[test]
    fn a_twentieth_lost_by_chance_does_not_slow_it_down() {
        let mut congestion = Congestion::new(MTU);
        rounds(&mut congestion, 12, 20, LEAST);
        assert_eq!(congestion.window(), MOST);
    }

    #[test]
    fn a_seventh_lost_does() {
        let mut congestion = Congestion::new(MTU);
        rounds(&mut congestion, 60, 7, LEAST);
        assert!(congestion.window() < 60 * MTU, "{}", congestion.window());
    }

    #[test]
    fn loss_with_a_queue_leaves_what_the_path_carries() {
        let mut congestion = Congestion::new(MTU);
        rounds(&mut congestion, 5, 0, LEAST);
        congestion.round.shortest = LEAST * 3;
        let before = congestion.window();
        congestion.rates = [before as f64 * 0.7 / LEAST.as_secs_f64(); ROUNDS];
        congestion.lost(1.0, 1000, Some(LEAST));
        let share = congestion.window() as f64 / before as f64;
        assert!((0.69..0.71).contains(&share), "{share}");
        let after = congestion.window();
        congestion.lost(1.0, 1000, Some(LEAST));
        assert_eq!(congestion.window(), after, "once a round");
    }

    #[test]
    fn slow_start_ends_where_a_queue_begins() {
        let mut congestion = Congestion::new(MTU);
        rounds(&mut congestion, 3, 0, LEAST);
        rounds(&mut congestion, 3, 0, LEAST * 3);
        let before = congestion.window();
        rounds(&mut congestion, 5, 0, LEAST * 3);
        assert!(
            congestion.window() <= before + 6 * MTU,
            "{}",
            congestion.window()
        );
    }
}
