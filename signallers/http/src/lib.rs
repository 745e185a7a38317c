// SPDX-License-Identifier: MPL-2.0
//! WHIP and WHEP clients.
