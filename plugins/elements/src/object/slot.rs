// SPDX-License-Identifier: MPL-2.0
//! A value of an object: any thread reads it, the control thread alone changes it.
use std::sync::{Mutex, PoisonError};

/// Sets a value; the old one if that was another.
pub(crate) fn replace<T: PartialEq>(slot: &Mutex<T>, value: T) -> Option<T> {
    let mut held = slot.lock().unwrap_or_else(PoisonError::into_inner);
    let old = std::mem::replace(&mut *held, value);
    (old != *held).then_some(old)
}

/// The value as it is now.
pub(crate) fn read<T: Clone>(slot: &Mutex<T>) -> T {
    slot.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
