// SPDX-License-Identifier: MPL-2.0
//! The one tokio runtime that all signallers of a process share: one worker, for they carry text only.
use std::sync::LazyLock;
use tokio::runtime::{Builder, Handle, Runtime};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(4)
        .thread_name("rtc-signaller")
        .enable_all()
        .build()
        .expect("a runtime needs a thread and an epoll descriptor; without them nothing else works either")
});

/// The runtime's handle; its thread starts with the first call and lives as long as the process.
pub fn handle() -> &'static Handle {
    RUNTIME.handle()
}
