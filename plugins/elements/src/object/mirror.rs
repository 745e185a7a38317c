// SPDX-License-Identifier: MPL-2.0
//! Every event of a session as an element message on the bus, so that `gst-launch-1.0 -m` shows it.

/// Where the events of one session are mirrored.
pub(crate) struct Mirror<'a> {
    /// The session's name in signalling.
    pub(crate) session: &'a str,
    /// The elements that have a bus.
    pub(crate) elements: Vec<gst::Element>,
}

impl Mirror<'_> {
    /// `rtc-event {session-id, object, event, …}`; nothing is built where there is no bus.
    pub(crate) fn event(
        &self,
        object: &str,
        event: &str,
        fill: impl FnOnce(&mut gst::StructureRef),
    ) {
        let Some((last, others)) = self.elements.split_last() else {
            return;
        };
        let mut structure = gst::Structure::builder("rtc-event")
            .field("session-id", self.session)
            .field("object", object)
            .field("event", event)
            .build();
        fill(&mut structure);
        for element in others {
            crate::endpoint::post(element, structure.clone());
        }
        crate::endpoint::post(last, structure);
    }

    /// A change of state, `event` being `…-state-change`.
    pub(crate) fn change(&self, object: &str, event: &str, old: &str, new: &str) {
        self.event(object, event, |structure| {
            structure.set("old", old);
            structure.set("new", new);
        });
    }
}

impl std::fmt::Debug for Mirror<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mirror")
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}
