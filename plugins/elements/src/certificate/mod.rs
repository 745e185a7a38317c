// SPDX-License-Identifier: MPL-2.0
//! `GstRtcCertificate`: W3C's RTCCertificate as an object, to make, keep and look at certificates.
//!
//! `GObject.new(GObject.type_from_name("GstRtcCertificate"))` makes a key pair; its `pem`, kept somewhere
//! safe, is what the elements' `certificate` takes, so that peers know us again by our fingerprint.
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use rtc_session::{Certificate, MAX_LIFETIME};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

glib::wrapper! {
    /// A certificate with its private key. A `GstObject`, which any thread may use.
    pub struct RtcCertificate(ObjectSubclass<imp::RtcCertificate>) @extends gst::Object;
}

/// W3C webrtc-pc §4.9.1.
const DEFAULT_LIFETIME: u64 = 30 * 24 * 3600;

/// Makes the type known by its name.
pub(crate) fn register() {
    RtcCertificate::ensure_type();
}

/// Reads what the `certificate` of an element says: PEM text, or the path of a file with it. The error
/// is for the user.
pub(crate) fn read(given: &str, now: SystemTime) -> Result<Arc<Certificate>, String> {
    let text = match given.contains("-----BEGIN") {
        true => given.to_owned(),
        false => std::fs::read_to_string(given).map_err(|error| {
            format!("certificate={given}: {error}; write PEM text or the path of a PEM file")
        })?,
    };
    let certificate = Certificate::from_pem(&text).map_err(|error| {
        format!("certificate: {error}; it needs a CERTIFICATE and a PRIVATE KEY section, of P-256")
    })?;
    check(&certificate, now)?;
    Ok(Arc::new(certificate))
}

/// W3C webrtc-pc §4.4.1.1: an expired one is an InvalidAccessError.
fn check(certificate: &Certificate, now: SystemTime) -> Result<(), String> {
    let expires = certificate.expires().map_err(|error| error.to_string())?;
    match now.duration_since(expires) {
        Err(_) => Ok(()),
        Ok(past) => Err(format!(
            "InvalidAccessError: the certificate expired {} days ago; make another",
            past.as_secs() / (24 * 3600)
        )),
    }
}

mod imp {
    use super::*;

    /// See the module above.
    #[derive(Debug, Default, glib::Properties)]
    #[properties(wrapper_type = super::RtcCertificate)]
    pub struct RtcCertificate {
        #[property(name = "lifetime", get, set, type = u64, member = lifetime, construct_only,
            minimum = 1, maximum = MAX_LIFETIME.as_secs(), default = DEFAULT_LIFETIME,
            blurb = "How long a certificate made here is valid (seconds, 1 to 31536000 = a year, as W3C bounds \
                     it; default 2592000 = 30 days; at construction)")]
        settings: Mutex<Settings>,
        #[property(name = "pem", type = String, get = Self::pem, set = Self::set_pem,
            blurb = "Private key and certificate: to be kept as a secret (PEM text; made anew unless it is \
                     set; ECDSA on P-256; changeable at any time, but elements take it at READY)")]
        #[property(name = "expires", type = i64, get = Self::expires,
            blurb = "When it ceases to be valid (milliseconds since 1970 UTC; read-only)")]
        #[property(name = "fingerprints", type = Vec<String>, get = Self::fingerprints,
            blurb = "What a=fingerprint tells peers of it, as `sha-256 AB:CD:…` (array of texts; \
                     read-only)")]
        certificate: Mutex<Option<Arc<Certificate>>>,
    }

    #[derive(Debug)]
    struct Settings {
        lifetime: u64,
    }

    impl Default for Settings {
        fn default() -> Self {
            Self {
                lifetime: DEFAULT_LIFETIME,
            }
        }
    }

    #[glib::object_subclass]
    impl ObjectSubclass for RtcCertificate {
        const NAME: &'static str = "GstRtcCertificate";
        type Type = super::RtcCertificate;
        type ParentType = gst::Object;
    }

    impl RtcCertificate {
        fn kept(&self) -> MutexGuard<'_, Option<Arc<Certificate>>> {
            let kept = self.certificate.lock();
            kept.unwrap_or_else(PoisonError::into_inner)
        }

        /// Made when it is first asked for.
        fn certificate(&self) -> Option<Arc<Certificate>> {
            let mut kept = self.kept();
            if kept.is_none() {
                let settings = self.settings.lock();
                let seconds = settings.unwrap_or_else(PoisonError::into_inner).lifetime;
                let lifetime = Duration::from_secs(seconds);
                let made = Certificate::generate_for(lifetime, SystemTime::now());
                let made = made.inspect_err(|error| gst::error!(CAT, imp = self, "{error}"));
                *kept = made.ok().map(Arc::new);
            }
            kept.clone()
        }

        fn pem(&self) -> String {
            let certificate = self.certificate();
            certificate.map_or_else(String::new, |certificate| certificate.to_pem())
        }

        fn set_pem(&self, text: Option<&str>) {
            let _ = self.take(text.unwrap_or_default());
        }

        fn expires(&self) -> i64 {
            let certificate = self.certificate();
            let expires = certificate.and_then(|certificate| certificate.expires().ok());
            let since = expires.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
            let milliseconds = since.and_then(|since| since.as_millis().try_into().ok());
            milliseconds.unwrap_or_default()
        }

        fn fingerprints(&self) -> Vec<String> {
            let certificate = self.certificate();
            let told = certificate.map(|certificate| certificate.fingerprint());
            told.into_iter().collect()
        }

        /// Keeps what was read; whether it was a certificate.
        pub(super) fn take(&self, given: &str) -> bool {
            match read(given, SystemTime::now()) {
                Ok(certificate) => {
                    *self.kept() = Some(certificate);
                    true
                }
                Err(error) => {
                    gst::error!(CAT, imp = self, "{error}");
                    false
                }
            }
        }

        /// Writes it for its owner's eyes alone.
        pub(super) fn save(&self, path: &str) -> bool {
            let result = write(path, &self.pem());
            if let Err(error) = &result {
                gst::error!(CAT, imp = self, "{path}: {error}");
            }
            result.is_ok()
        }
    }

    #[glib::derived_properties]
    impl ObjectImpl for RtcCertificate {
        fn signals() -> &'static [glib::subclass::Signal] {
            static SIGNALS: LazyLock<Vec<glib::subclass::Signal>> = LazyLock::new(|| {
                // (path) -> done. What went wrong is in the log.
                let action = |name: &str, what: fn(&RtcCertificate, &str) -> bool| {
                    glib::subclass::Signal::builder(name)
                        .param_types([String::static_type()])
                        .return_type::<bool>()
                        .action()
                        .class_handler(move |values| {
                            let object = values[0].get::<super::RtcCertificate>().ok()?;
                            let path = values[1].get::<Option<String>>().ok()?;
                            let done = path.is_some_and(|path| what(object.imp(), &path));
                            Some(done.to_value())
                        })
                        .build()
                };
                vec![
                    action("load", RtcCertificate::take),
                    action("save", RtcCertificate::save),
                ]
            });
            &SIGNALS
        }
    }

    impl GstObjectImpl for RtcCertificate {}
}

#[cfg(unix)]
fn write(path: &str, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(not(unix))]
fn write(path: &str, text: &str) -> std::io::Result<()> {
    std::fs::write(path, text)
}

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "rtccertificate",
        gst::DebugColorFlags::empty(),
        Some("Certificates of WebRTC sessions"),
    )
});

#[cfg(test)]
mod tests {
    use super::*;

    fn object(properties: &[(&str, glib::Value)]) -> RtcCertificate {
        gst::init().unwrap();
        let mut builder = glib::Object::builder::<RtcCertificate>();
        for (name, value) in properties {
            builder = builder.property(name, value);
        }
        builder.build()
    }

    #[test]
    fn one_is_made_for_thirty_days_and_kept_by_its_text() {
        let made = object(&[]);
        let expires = made.property::<i64>("expires") / 1000;
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let days = (expires as u64 - now).div_ceil(24 * 3600);
        assert_eq!(days, 30);
        let read = object(&[("pem", made.property::<String>("pem").to_value())]);
        let told = |of: &RtcCertificate| of.property::<Vec<String>>("fingerprints");
        assert_eq!(told(&made), told(&read));
        assert!(told(&made)[0].starts_with("sha-256 "));
        assert_ne!(told(&made), told(&object(&[])));
    }

    #[test]
    fn it_is_saved_for_its_owner_and_loaded() {
        let folder = std::env::temp_dir().join(format!("rtc-certificate-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("own.pem").to_string_lossy().into_owned();
        let (made, other) = (object(&[]), object(&[]));
        assert!(made.emit_by_name::<bool>("save", &[&path]));
        assert!(other.emit_by_name::<bool>("load", &[&path]));
        assert_eq!(
            made.property::<String>("pem"),
            other.property::<String>("pem")
        );
        assert!(!other.emit_by_name::<bool>("load", &[&"/nowhere"]));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn one_that_has_expired_is_an_invalid_access() {
        let now = SystemTime::now();
        let made = Certificate::generate_for(Duration::from_secs(60), now).unwrap();
        assert!(read(&made.to_pem(), now).is_ok());
        let later = now + Duration::from_secs(3 * 24 * 3600);
        let error = read(&made.to_pem(), later).unwrap_err();
        assert!(error.starts_with("InvalidAccessError"), "{error}");
        assert!(
            read("/nowhere/own.pem", now)
                .unwrap_err()
                .contains("/nowhere/own.pem")
        );
        assert!(
            read("-----BEGIN X", now)
                .unwrap_err()
                .contains("PRIVATE KEY")
        );
    }
}
