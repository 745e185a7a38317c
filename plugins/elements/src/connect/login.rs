// SPDX-License-Identifier: MPL-2.0
//! Logins of TURN servers as structures, and how an application is asked for one.
use gst::glib;
use gst::glib::subclass::Signal;
use gst::prelude::*;
use rtc_session::{IceServer, Login, LoginWanted};

const SIGNAL: &str = "request-ice-credential";

/// `(session, url, server-name) -> GstStructure or NULL`: a TURN server refuses the credential that
/// there is. `server-name` is what an authorization server knows it by, if it takes access tokens, else
/// NULL. The structure has the fields of a server of `ice-servers` that make a credential. Emitted on the
/// endpoint's control thread: it waits.
pub(crate) fn signal() -> Signal {
    let text = String::static_type();
    Signal::builder(SIGNAL)
        .param_types([text, text, text])
        .return_type::<Option<gst::Structure>>()
        .accumulator(
            |_, first, next| match next.get::<Option<gst::Structure>>() {
                Ok(None) => std::ops::ControlFlow::Continue(first),
                _ => std::ops::ControlFlow::Break(next.clone()),
            },
        )
        .build()
}

/// Asks the application; errors are for the user.
pub(crate) fn ask(
    element: &gst::Element,
    session: &str,
    wanted: &LoginWanted,
) -> Result<Option<Login>, String> {
    let answer = element.emit_by_name::<Option<gst::Structure>>(
        SIGNAL,
        &[&session, &wanted.url, &wanted.authority],
    );
    match answer {
        Some(answer) => login(&answer).map_err(|what| format!("{SIGNAL}: {what}")),
        None => Ok(None),
    }
}

/// The servers of a signaller's `ice-servers`; those that can't be understood are told and left out.
pub(crate) fn signalled(servers: &gst::StructureRef) -> Vec<IceServer> {
    let Ok(servers) = servers.get::<gst::Array>("servers") else {
        return Vec::new();
    };
    let read = servers.iter().take(MAX_SERVERS).map(server);
    read.filter_map(|server| match server {
        Ok(server) => Some(server),
        Err(what) => {
            gst::warning!(gst::CAT_RUST, "signalling names a server: {what}");
            None
        }
    })
    .collect()
}

/// A server of `ice-servers`, which has the fields of W3C's RTCIceServer.
pub(super) fn server(value: &glib::SendValue) -> Result<IceServer, String> {
    let server = value
        .get::<gst::Structure>()
        .map_err(|_| "an entry is no structure with urls, username and credential")?;
    let urls: Vec<String> = match (
        server.get::<String>("urls"),
        server.get::<gst::Array>("urls"),
    ) {
        (Ok(url), _) => vec![url],
        (_, Ok(urls)) => urls.iter().filter_map(|url| url.get().ok()).collect(),
        _ => return Err("an entry has no urls (a text, or an array of texts)".into()),
    };
    IceServer::with_login(&urls, login(&server)?).map_err(|error| error.to_string())
}

/// `username` and `credential`; or, with `credential-type=oauth`, `username` (the key's identifier),
/// `access-token` and `mac-key` (Base64).
fn login(fields: &gst::StructureRef) -> Result<Option<Login>, String> {
    let text = |name: &str| fields.get::<String>(name).unwrap_or_default();
    let bytes = |name: &str| {
        let decoded = glib::base64_decode(&text(name));
        match decoded.is_empty() {
            true => Err(format!("{name} must be a text in Base64")),
            false => Ok(decoded),
        }
    };
    match text("credential-type").as_str() {
        "" | "password" => Ok(Login::with_password(&text("username"), &text("credential"))),
        "oauth" => {
            let (token, key) = (bytes("access-token")?, bytes("mac-key")?);
            Login::with_token(&text("username"), &token, &key)
                .map(Some)
                .ok_or_else(|| "username is empty, or access-token longer than 4096 bytes".into())
        }
        other => Err(format!(
            "credential-type={other} is neither password nor oauth"
        )),
    }
}

/// As many as a session takes.
const MAX_SERVERS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> gst::Structure {
        gst::init().expect("GStreamer starts");
        text.parse().expect("a structure")
    }

    #[test]
    fn logins_are_read_or_what_is_wrong_is_said() {
        let read = |text: &str| login(&fields(text));
        assert_eq!(
            read("a, username=u, credential=p"),
            Ok(Login::with_password("u", "p"))
        );
        assert_eq!(read("a"), Ok(None));
        assert_eq!(
            read("a, credential-type=oauth, username=kid, access-token=\"AQI=\", mac-key=\"Aw==\""),
            Ok(Login::with_token("kid", &[1, 2], &[3]))
        );
        let wrong = read("a, credential-type=oauth, username=kid, access-token=\"AQI=\"");
        assert!(wrong.is_err_and(|text| text.contains("mac-key")));
        assert!(read("a, credential-type=x").is_err_and(|text| text.contains("x is neither")));
    }

    #[test]
    fn of_what_signalling_names_the_sound_ones_are_taken() {
        gst::init().expect("GStreamer starts");
        let server = |url: &str| {
            gst::Structure::builder("ice-server")
                .field("urls", url)
                .field("username", "u")
                .field("credential", "p")
                .build()
        };
        let servers = gst::Structure::builder("ice-servers")
            .field(
                "servers",
                gst::Array::new([server("turn:a"), server("http://b"), server("stun:c")]),
            )
            .build();
        let urls: Vec<String> = signalled(&servers)
            .iter()
            .flat_map(IceServer::urls)
            .map(ToString::to_string)
            .collect();
        assert_eq!(urls, ["turn:a", "stun:c"]);
    }
}
