// SPDX-License-Identifier: MPL-2.0
//! Empty: only the dependencies are wanted.
