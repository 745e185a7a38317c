// SPDX-License-Identifier: MPL-2.0
//! What the path to the peer carries, measured from transport-wide feedback.
//!
//! Delay leads: the least one-way delay of the last 150 ms above the least of 20 s is taken for the
//! queue at the bottleneck. While the queue is short the estimate grows, once it is long the estimate
//! falls below what arrives, so that the queue empties. Loss matters only where it is heavy.
mod delay;
mod estimator;
mod feedback;
mod log;
mod loss;
mod probe;
mod rate;

pub(crate) use estimator::{Estimator, Limits};
pub(crate) use feedback::{Arrival, FeedbackReader};
pub(crate) use log::SentLog;
