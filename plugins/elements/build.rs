// SPDX-License-Identifier: MPL-2.0
//! Build script.
fn main() {
    gst_plugin_version_helper::info();
}
