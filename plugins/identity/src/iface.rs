// SPDX-License-Identifier: MPL-2.0
//! The GInterface `GstRtcIdentityProvider`: two vfuncs and the signals they emit where they are not there.
//!
//! The only file of the crate with unsafe code: glib asks for it to register an interface.
#![allow(unsafe_code)]
use crate::answer::{checked, fault_answer, texts};
use crate::{IdentityFault, Vouched};
use gst::glib;
use gst::glib::prelude::*;
use gst::glib::subclass::Signal;
use gst::glib::subclass::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

glib::wrapper! {
    /// Vouches for certificates of ours, and tells whose a peer's is (W3C webrtc-identity §6).
    pub struct IdentityProvider(ObjectInterface<Interface>);
}

// SAFETY: the interface itself holds no data. A vfunc may be called and a signal emitted from any thread,
// and `IdentityProviderImpl` demands `Send + Sync` of the implementing struct; a foreign implementor is
// told so by the documentation.
unsafe impl Send for IdentityProvider {}
// SAFETY: as above.
unsafe impl Sync for IdentityProvider {}

type Ask = fn(&IdentityProvider, &str, &gst::StructureRef, &gst::Promise);

/// The vfuncs. They take Rust types, so that only Rust fills them; other languages use the signals.
#[derive(Clone, Copy)]
#[repr(C)]
#[allow(missing_debug_implementations)]
pub struct Vtable {
    parent: glib::gobject_ffi::GTypeInterface,
    generate: Ask,
    validate: Ask,
}

// SAFETY: `Vtable` is `repr(C)` and begins with `GTypeInterface`.
unsafe impl InterfaceStruct for Vtable {
    type Type = Interface;
}

/// The type of the interface; glib registers it on first use.
#[allow(missing_debug_implementations)]
pub enum Interface {}

const GENERATE: &str = "generate-assertion";
const VALIDATE: &str = "validate-assertion";

#[glib::object_interface]
impl ObjectInterface for Interface {
    const NAME: &'static str = "GstRtcIdentityProvider";
    type Instance = std::ffi::c_void;
    type Interface = Vtable;
    type Prerequisites = (glib::Object,);

    fn interface_init(vtable: &mut Vtable) {
        vtable.generate = |object, text, more, promise| emit(object, GENERATE, text, more, promise);
        vtable.validate = |object, text, more, promise| emit(object, VALIDATE, text, more, promise);
    }

    fn signals() -> &'static [Signal] {
        static SIGNALS: LazyLock<Vec<Signal>> = LazyLock::new(|| {
            let signal = |name| {
                Signal::builder(name)
                    .param_types([
                        String::static_type(),
                        gst::Structure::static_type(),
                        gst::Promise::static_type(),
                    ])
                    .run_last()
                    .action()
                    .build()
            };
            vec![
                // (contents, options, promise): vouch for the contents, a text. The options may have
                // `username-hint` and `peer-identity`. The answer has `domain`, `protocol`, `assertion`.
                signal(GENERATE),
                // (assertion, origin, promise): whose is it? The origin has `domain` and `protocol`, as
                // the peer names them. The answer has `identity` and `contents`.
                signal(VALIDATE),
            ]
        });
        &SIGNALS
    }
}

fn emit(
    object: &IdentityProvider,
    name: &str,
    text: &str,
    more: &gst::StructureRef,
    promise: &gst::Promise,
) {
    object.emit_by_name::<()>(name, &[&text, &more.to_owned(), promise]);
}

/// Asks by a vfunc; where nobody is there to answer, that is the answer.
fn ask(
    object: &IdentityProvider,
    vfunc: Ask,
    (text, more): (&str, &gst::StructureRef),
    then: impl FnOnce(Result<Option<&gst::StructureRef>, gst::PromiseError>) + Send + 'static,
) {
    let answered = Arc::new(AtomicBool::new(false));
    let notes = Arc::clone(&answered);
    let promise = gst::Promise::with_change_func(move |reply| {
        notes.store(true, Ordering::Release);
        then(reply);
    });
    vfunc(object, text, more, &promise);
    // SAFETY: a promise begins with a mini object, whose count may be read while it lives, as it does
    // here. If ours is the last reference, nobody else can answer any more.
    let is_ours_alone = unsafe { (*promise.as_ptr()).parent.refcount == 1 };
    if is_ours_alone && !answered.load(Ordering::Acquire) {
        let text = "nobody answers for the identity provider";
        let fault = IdentityFault::new("idp-execution-failure", text);
        promise.reply(Some(fault_answer(&fault)));
    }
}

/// What a provider written in Rust implements. Called from the endpoint's control thread: must not block
/// on the network. The promise may be answered from any thread, with [`crate::asserted_answer`],
/// [`crate::vouched_answer`] or [`crate::fault_answer`].
pub trait IdentityProviderImpl:
    ObjectImpl + ObjectSubclass<Type: IsA<IdentityProvider>> + Send + Sync
{
    /// Vouches for contents of ours.
    fn generate(&self, contents: &str, options: &gst::StructureRef, promise: &gst::Promise) {
        emit(
            self.obj().upcast_ref(),
            GENERATE,
            contents,
            options,
            promise,
        );
    }

    /// Tells who an assertion is of.
    fn validate(&self, assertion: &str, origin: &gst::StructureRef, promise: &gst::Promise) {
        emit(
            self.obj().upcast_ref(),
            VALIDATE,
            assertion,
            origin,
            promise,
        );
    }
}

// SAFETY: `T: IdentityProviderImpl` is the very bound of the functions put into the table.
unsafe impl<T: IdentityProviderImpl> IsImplementable<T> for IdentityProvider {
    fn interface_init(iface: &mut glib::Interface<Self>) {
        let vtable = iface.as_mut();
        vtable.generate =
            |object, text, more, promise| imp::<T>(object).generate(text, more, promise);
        vtable.validate =
            |object, text, more, promise| imp::<T>(object).validate(text, more, promise);
    }
}

fn imp<T: IdentityProviderImpl>(object: &IdentityProvider) -> &T {
    // SAFETY: the table this was called from belongs to the class of `T` or of a subclass of it.
    unsafe { object.unsafe_cast_ref::<T::Type>().imp() }
}

/// Domain, protocol and assertion.
type Asserted = [String; 3];

/// How Rust code asks a provider.
pub trait IdentityProviderExt: IsA<IdentityProvider> + 'static {
    /// Asks it to vouch for contents; `then` is called once, on any thread, unless the provider never
    /// answers and never lets go of the promise.
    fn generate_assertion(
        &self,
        contents: &str,
        options: &gst::StructureRef,
        then: impl FnOnce(Result<Asserted, IdentityFault>) + Send + 'static,
    ) {
        let object = self.upcast_ref();
        ask(
            object,
            vtable(object).generate,
            (contents, options),
            |reply| {
                then(texts(reply, ["domain", "protocol", "assertion"]));
            },
        );
    }

    /// Asks it who an assertion is of. An identity that is not of the provider's own domain is a fault.
    fn validate_assertion(
        &self,
        assertion: &str,
        (domain, protocol): (&str, &str),
        then: impl FnOnce(Result<Vouched, IdentityFault>) + Send + 'static,
    ) {
        let origin = gst::Structure::builder("idp-origin")
            .field("domain", domain)
            .field("protocol", protocol)
            .build();
        let domain = domain.to_owned();
        let object = self.upcast_ref();
        ask(
            object,
            vtable(object).validate,
            (assertion, &origin),
            move |reply| {
                let vouched = texts(reply, ["identity", "contents"]);
                let vouched = vouched.map(|[identity, contents]| Vouched { identity, contents });
                then(vouched.and_then(|vouched| checked(vouched, &domain)));
            },
        );
    }
}

impl<T: IsA<IdentityProvider>> IdentityProviderExt for T {}

fn vtable(object: &IdentityProvider) -> Vtable {
    *object
        .interface::<IdentityProvider>()
        .expect("the wrapper exists only for objects that implement the interface")
        .as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ApplicationIdentityProvider, asserted_answer, vouched_answer};
    use std::sync::mpsc;

    #[test]
    fn an_application_answers_by_signals_and_promises() {
        gst::init().expect("GStreamer starts");
        let provider = ApplicationIdentityProvider::default();
        provider.connect(GENERATE, false, |values| {
            let promise = values[3].get::<gst::Promise>().expect("a promise");
            let contents = values[1].get::<String>().expect("contents");
            promise.reply(Some(asserted_answer("idp.example", "default", &contents)));
            None
        });
        provider.connect(VALIDATE, false, |values| {
            let promise = values[3].get::<gst::Promise>().expect("a promise");
            let origin = values[2].get::<gst::Structure>().expect("the origin");
            assert_eq!(origin.get::<String>("domain").as_deref(), Ok("idp.example"));
            promise.reply(Some(vouched_answer(&Vouched {
                identity: "alice@idp.example".into(),
                contents: values[1].get().expect("the assertion"),
            })));
            None
        });
        let (tell, told) = mpsc::channel();
        let options = gst::Structure::new_empty("options");
        provider.generate_assertion("{}", &options, move |result| {
            tell.send(result).expect("somebody waits");
        });
        let [domain, protocol, assertion] = told.recv().expect("an answer").expect("an assertion");
        assert_eq!(
            [&*domain, &*protocol, &*assertion],
            ["idp.example", "default", "{}"]
        );
        let (tell, told) = mpsc::channel();
        provider.validate_assertion(&assertion, (&domain, &protocol), move |result| {
            tell.send(result).expect("somebody waits");
        });
        let vouched = told.recv().expect("an answer").expect("vouched for");
        assert_eq!(vouched.identity, "alice@idp.example");
    }

    #[test]
    fn where_nobody_answers_there_is_a_fault() {
        gst::init().expect("GStreamer starts");
        let provider = ApplicationIdentityProvider::default();
        let (tell, told) = mpsc::channel();
        provider.validate_assertion("x", ("idp.example", "default"), move |result| {
            tell.send(result).expect("somebody waits");
        });
        let fault = told.recv().expect("an answer").expect_err("a fault");
        assert_eq!(fault.detail, "idp-execution-failure");
    }
}
