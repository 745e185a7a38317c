// SPDX-License-Identifier: MPL-2.0
//! `GstRtcIceTransport`: W3C's RTCIceTransport (webrtc-pc §5.6). BUNDLE is required, so a session has one.
use super::enums::{IceComponent, IceGatheringState, IceRole, IceTransportState};
use super::{candidate, slot};
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use rtc_session::{IceParameters, SelectedPair};
use std::sync::{LazyLock, Mutex};

glib::wrapper! {
    /// The ICE transport of one session. A `GstObject`, which any thread may use.
    pub struct IceTransport(ObjectSubclass<imp::IceTransport>) @extends gst::Object;
}

/// Candidates kept for `get-local-candidates` and `get-remote-candidates`; more of them are no use.
const MAX_CANDIDATES: usize = 128;

impl IceTransport {
    pub(crate) fn new() -> Self {
        glib::Object::new()
    }

    /// The old state if this is another.
    pub(crate) fn set_state(&self, state: IceTransportState) -> Option<IceTransportState> {
        slot::replace(&self.imp().state, state)
    }

    /// The old state if this is another.
    pub(crate) fn set_gathering(&self, state: IceGatheringState) -> Option<IceGatheringState> {
        slot::replace(&self.imp().gathering_state, state)
    }

    /// Whether the role is another than before.
    pub(crate) fn set_parameters(&self, parameters: &IceParameters) -> bool {
        *self.imp().parameters() = parameters.clone();
        let role = match parameters.controlling {
            None => IceRole::Unknown,
            Some(true) => IceRole::Controlling,
            Some(false) => IceRole::Controlled,
        };
        slot::replace(&self.imp().role, role).is_some()
    }

    pub(crate) fn set_pair(&self, pair: Option<SelectedPair>) {
        *self.imp().pair() = pair;
    }

    pub(crate) fn add_local(&self, candidate: gst::Structure) {
        add(&mut self.imp().locals(), candidate);
    }

    pub(crate) fn add_remote(&self, candidate: gst::Structure) {
        add(&mut self.imp().remotes(), candidate);
    }

    /// Another generation of candidates begins.
    pub(crate) fn forget_remote(&self) {
        self.imp().remotes().clear();
    }

    /// Another generation of candidates begins.
    pub(crate) fn forget_local(&self) {
        self.imp().locals().clear();
    }

    /// Ours and the peer's.
    pub(crate) fn candidates(&self) -> (Vec<gst::Structure>, Vec<gst::Structure>) {
        (self.imp().locals().clone(), self.imp().remotes().clone())
    }

    /// Our username fragment; `None` before a description.
    pub(crate) fn local_ufrag(&self) -> Option<String> {
        let parameters = self.imp().parameters();
        parameters.controlling?;
        Some(parameters.local.0.clone())
    }

    /// The pair as a structure; `None` while there is none.
    pub(crate) fn pair(&self) -> Option<gst::Structure> {
        let state = slot::read(&self.imp().state);
        // IF-03
        if matches!(state, IceTransportState::New | IceTransportState::Closed) {
            return None;
        }
        let pair = self.imp().pair().clone()?;
        Some(
            gst::Structure::builder("rtc-ice-candidate-pair")
                .field("local", candidate::structure(&pair.local, None, None))
                .field("remote", candidate::structure(&pair.remote, None, None))
                .build(),
        )
    }
}

fn add(list: &mut Vec<gst::Structure>, candidate: gst::Structure) {
    if list.len() < MAX_CANDIDATES && !list.contains(&candidate) {
        list.push(candidate);
    }
}

mod imp {
    use super::*;
    use std::sync::{MutexGuard, PoisonError};

    #[derive(Debug, Default, glib::Properties)]
    #[properties(wrapper_type = super::IceTransport)]
    pub struct IceTransport {
        #[property(
            name = "state",
            get,
            blurb = "W3C's state (read-only)",
            builder(IceTransportState::New)
        )]
        pub(super) state: Mutex<IceTransportState>,
        #[property(
            name = "gathering-state",
            get,
            blurb = "W3C's gatheringState (read-only)",
            builder(IceGatheringState::New)
        )]
        pub(super) gathering_state: Mutex<IceGatheringState>,
        #[property(
            name = "role",
            get,
            blurb = "Which side decides the pair, W3C's role (read-only)",
            builder(IceRole::Unknown)
        )]
        pub(super) role: Mutex<IceRole>,
        #[property(
            name = "component",
            get,
            blurb = "W3C's component; RTCP goes with RTP, so always rtp (read-only)",
            builder(IceComponent::Rtp)
        )]
        component: Mutex<IceComponent>,
        parameters: Mutex<IceParameters>,
        pair: Mutex<Option<SelectedPair>>,
        locals: Mutex<Vec<gst::Structure>>,
        remotes: Mutex<Vec<gst::Structure>>,
    }

    impl IceTransport {
        pub(super) fn parameters(&self) -> MutexGuard<'_, IceParameters> {
            self.parameters
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        }

        pub(super) fn pair(&self) -> MutexGuard<'_, Option<SelectedPair>> {
            self.pair.lock().unwrap_or_else(PoisonError::into_inner)
        }

        pub(super) fn locals(&self) -> MutexGuard<'_, Vec<gst::Structure>> {
            self.locals.lock().unwrap_or_else(PoisonError::into_inner)
        }

        pub(super) fn remotes(&self) -> MutexGuard<'_, Vec<gst::Structure>> {
            self.remotes.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    #[glib::object_subclass]
    impl ObjectSubclass for IceTransport {
        const NAME: &'static str = "GstRtcIceTransport";
        type Type = super::IceTransport;
        type ParentType = gst::Object;
    }

    #[glib::derived_properties]
    impl ObjectImpl for IceTransport {
        fn signals() -> &'static [glib::subclass::Signal] {
            static SIGNALS: LazyLock<Vec<glib::subclass::Signal>> = LazyLock::new(signals);
            &SIGNALS
        }
    }

    impl GstObjectImpl for IceTransport {}

    fn signals() -> Vec<glib::subclass::Signal> {
        let answer = |name, answer: fn(&super::IceTransport) -> Option<gst::Structure>| {
            glib::subclass::Signal::builder(name)
                .return_type::<Option<gst::Structure>>()
                .action()
                .class_handler(move |values| {
                    let object = values[0].get::<super::IceTransport>().ok()?;
                    Some(answer(&object).to_value())
                })
                .build()
        };
        vec![
            // Another pair is in use; get-selected-candidate-pair tells which.
            glib::subclass::Signal::builder("on-selected-candidate-pair-change").build(),
            // -> rtc-ice-candidates {candidate-0, candidate-1, …}
            answer("get-local-candidates", |object| {
                Some(candidate::list(object.imp().locals().iter()))
            }),
            answer("get-remote-candidates", |object| {
                Some(candidate::list(object.imp().remotes().iter()))
            }),
            // -> rtc-ice-candidate-pair {local, remote}, or NULL
            answer("get-selected-candidate-pair", super::IceTransport::pair),
            // -> rtc-ice-parameters {username-fragment, password}, or NULL before a description
            answer("get-local-parameters", |object| {
                let parameters = object.imp().parameters();
                parameters.controlling?;
                Some(credentials(&parameters.local))
            }),
            answer("get-remote-parameters", |object| {
                Some(credentials(object.imp().parameters().remote.as_ref()?))
            }),
        ]
    }

    fn credentials((ufrag, pwd): &(String, String)) -> gst::Structure {
        gst::Structure::builder("rtc-ice-parameters")
            .field("username-fragment", ufrag)
            .field("password", pwd)
            .build()
    }
}
