// SPDX-License-Identifier: MPL-2.0
//! The list of connectivity properties: name, blurb, value, and where each is kept.
use super::servers::TransportPolicy;
use super::settings::{
    Bundle, Connect, DEFAULT_UDP_PORT, DEFAULT_WEB_ADDRESS, Dtls, Families, Handling, Mdns, Role,
};
use crate::object::TriState;
use gst::glib;
use gst::glib::prelude::*;
use gst::prelude::GstParamSpecBuilderExt;
use rtc_identity::IdentityProvider;
use rtc_signaller::Signaller;

/// A property.
struct Row {
    name: &'static str,
    spec: fn(&'static str, Role) -> glib::ParamSpec,
    /// `None` for what may be written alone.
    get: Option<fn(&Connect) -> glib::Value>,
    set: fn(&mut Connect, &glib::Value),
}

impl Connect {
    /// The specifications for an element's `properties()`.
    pub(crate) fn specs(role: Role) -> Vec<glib::ParamSpec> {
        let specs = ROWS.iter().map(|row| (row.spec)(row.name, role));
        specs.collect()
    }

    /// Notes a property; `false` if it is none of these.
    pub(crate) fn set(&mut self, name: &str, value: &glib::Value) -> bool {
        let row = ROWS.iter().find(|row| row.name == name);
        if let Some(row) = row {
            (row.set)(self, value);
        }
        row.is_some()
    }

    /// A property's value; `None` if it is none of these.
    pub(crate) fn get(&self, name: &str) -> Option<glib::Value> {
        let row = ROWS.iter().find(|row| row.name == name)?;
        row.get.map(|get| get(self))
    }
}

/// A value of the type that the specification demands, as GObject has checked.
fn given<'a, T: glib::value::FromValue<'a>>(value: &'a glib::Value) -> T {
    value
        .get()
        .unwrap_or_else(|_| unreachable!("GObject checks the type"))
}

/// NULL, as Python's `None` comes, is the empty text.
fn text(value: &glib::Value) -> String {
    value
        .get::<Option<String>>()
        .ok()
        .flatten()
        .unwrap_or_default()
}

/// A row of a text property.
macro_rules! text {
    ($name:literal, $field:ident, $blurb:expr) => {
        text!($name, $field, None, $blurb)
    };
    ($name:literal, $field:ident, $default:expr, $blurb:expr) => {
        Row {
            name: $name,
            spec: |name, role| {
                let blurb: fn(Role) -> &'static str = $blurb;
                glib::ParamSpecString::builder(name)
                    .default_value($default)
                    .blurb(blurb(role))
                    .mutable_ready()
                    .build()
            },
            get: Some(|connect| connect.$field.to_value()),
            set: |connect, value| connect.$field = text(value),
        }
    };
}

/// A row of a text property that can't be read: a secret.
macro_rules! secret {
    ($name:literal, $field:ident, $blurb:expr) => {
        Row {
            name: $name,
            spec: |name, role| {
                let blurb: fn(Role) -> &'static str = $blurb;
                glib::ParamSpecString::builder(name)
                    .blurb(blurb(role))
                    .write_only()
                    .mutable_ready()
                    .build()
            },
            get: None,
            set: |connect, value| connect.$field = text(value),
        }
    };
}

/// A row of any other property, by its specification's builder.
macro_rules! row {
    ($name:literal, $field:ident, $builder:expr, $blurb:expr) => {
        Row {
            name: $name,
            spec: |name, _| $builder(name).blurb($blurb).build(),
            get: Some(|connect| connect.$field.to_value()),
            set: |connect, value| connect.$field = given(value),
        }
    };
}

const ROWS: &[Row] = &[
    text!("endpoint", endpoint, |_| {
        "Name of the endpoint: elements of one process with the same name share one signaller, one UDP \
         port and the same sessions (text; default empty = an endpoint of its own; changeable until \
         READY)"
    }),
    text!("uri", uri, uri_blurb),
    row!(
        "signaller",
        signaller,
        |name| glib::ParamSpecObject::builder::<Signaller>(name).mutable_ready(),
        "The object that carries the descriptions, in place of the one uri names; its properties are \
         reached as signaller::name=value (object implementing GstRtcSignaller; default none = made \
         from uri; changeable until READY)"
    ),
    text!(
        "web-address",
        web_address,
        Some(DEFAULT_WEB_ADDRESS),
        |_| {
            "Where the web server of serve listens (host:port, port 0 = any free one; default \
         127.0.0.1:8080 = this machine alone, so that nothing is public unasked; changeable until READY)"
        }
    ),
    secret!("auth-token", auth_token, token_blurb),
    row!(
        "udp-port",
        udp_port,
        |name| glib::ParamSpecUInt::builder(name)
            .maximum(65_535)
            .default_value(DEFAULT_UDP_PORT)
            .mutable_ready(),
        "UDP port of all sessions; if it is taken the next 15 are tried (port number 0-65535, 0 = any \
         free one; default 8189 = one port to open in a firewall; changeable until READY)"
    ),
    text!("port-range", port_range, |_| {
        "Ports to choose from in place of udp-port: the first that is free is that of all sessions, and \
         those of sessions that ask TURN servers by UDP are taken from it too while it lasts (FIRST-LAST, \
         1-65535; default empty = udp-port; changeable until READY)"
    }),
    row!(
        "ip-families",
        ip_families,
        |name| glib::ParamSpecEnum::builder_with_default(name, Families::Both).mutable_ready(),
        "IP versions of the sessions' sockets and candidates (default both, as the peer may have \
         either; changeable until READY)"
    ),
    row!(
        "ip-handling",
        ip_handling,
        |name| glib::ParamSpecEnum::builder_with_default(name, Handling::All).mutable_ready(),
        "Which addresses of this machine peers may see (RFC 8828; default all-interfaces: who starts this \
         element consents; changeable until READY)"
    ),
    row!(
        "mdns",
        mdns,
        |name| glib::ParamSpecEnum::builder_with_default(name, Mdns::Resolve).mutable_ready(),
        "What is done with names in .local, which browsers give in place of their addresses (default \
         resolve, as they do so by default; conceal gives peers such names of ours, which only those on \
         the same link can look up; changeable until READY)"
    ),
    row!(
        "bundle-policy",
        bundle_policy,
        |name| glib::ParamSpecEnum::builder_with_default(name, Bundle::MaxBundle).mutable_ready(),
        "How many transports a session has (default and alone max-bundle: every WebRTC peer of today \
         takes one for all media; changeable until READY)"
    ),
    secret!("certificate", certificate, |_| {
        "Certificate and private key by which peers know us, as a GstRtcCertificate's pem has them (PEM \
         text or the path of a PEM file, P-256, write-only; default empty = a new one for each endpoint, \
         so that nobody can be followed by it; changeable until READY)"
    }),
    row!(
        "identity-provider",
        identity_provider,
        |name| glib::ParamSpecObject::builder::<IdentityProvider>(name).mutable_ready(),
        "Who vouches for this side in its descriptions, and is asked who a peer is (object implementing \
         GstRtcIdentityProvider, as GstRtcWebIdentityProvider; default none, for nobody is asked unasked; \
         changeable until READY)"
    ),
    text!("peer-identity", peer_identity, |_| {
        "Who peers must be, as their identity provider says; others are refused before ICE begins \
         (USER@DOMAIN; default empty = whoever it is; changeable until READY)"
    }),
    row!(
        "manual-negotiation",
        manual_negotiation,
        |name| glib::ParamSpecBoolean::builder(name).mutable_ready(),
        "Whether the application makes and applies the descriptions of sessions, by their action signals \
         create-offer, set-local-description and so on; the signaller still carries them (default false = \
         sessions negotiate by themselves; changeable until READY)"
    ),
    row!(
        "polite",
        polite,
        |name| glib::ParamSpecEnum::builder_with_default(name, TriState::Null).mutable_ready(),
        "Whether this side gives way when offers of both sides collide; the peer must do the opposite \
         (default null = as the signaller says, else the side that offers first; changeable until READY)"
    ),
    text!("interfaces", interfaces, |_| {
        "Network interfaces whose addresses are offered, by name (separated by commas; default empty = \
         all, as the peer may be behind any; changeable until READY)"
    }),
    text!("announced-addresses", announced_addresses, |_| {
        "IP addresses to offer beside the machine's own, or names of such: those of a NAT that forwards \
         udp-port here (separated by commas; names are looked up at READY and when the network changes; \
         default empty; changeable until READY)"
    }),
    row!(
        "dtls-version",
        dtls_version,
        |name| glib::ParamSpecEnum::builder_with_default(name, Dtls::Auto).mutable_ready(),
        "DTLS versions spoken (default auto = the newest the peer offers; 1.2 gives cheaper encryption \
         with some browsers; changeable until READY)"
    ),
    row!(
        "quiet",
        quiet,
        glib::ParamSpecBoolean::builder,
        "Whether the line on standard error that tells the address is left out; the rtc-listening \
         message comes all the same (default false, so that gst-launch tells it; changeable at any time)"
    ),
    text!("stun-server", stun_server, |_| {
        "STUN server that tells each session its address outside a NAT (stun:HOST:PORT; default empty = \
         none, for nothing is told to third parties unasked; changeable until READY)"
    }),
    text!("turn-servers", turn_servers, |_| {
        "TURN servers that relay where nothing else gets through \
         (turn://USER:PASSWORD@HOST:PORT?transport=udp or tcp, turns:// for TLS, separated by commas; \
         with turn-secret turn:HOST:PORT; default empty = none; changeable until READY)"
    }),
    secret!("turn-secret", turn_secret, |_| {
        "Secret shared with the turn-servers that are written without a user: each session gets a \
         credential of its own, good for a day (text, write-only; default empty; changeable until READY)"
    }),
    row!(
        "ice-servers",
        ice_servers,
        |name| gst::ParamSpecArray::builder(name).mutable_ready(),
        "Further STUN and TURN servers (array of structures with urls, a text or an array of texts, and \
         for TURN username and credential, as W3C's RTCIceServer; or for access tokens of RFC 7635 \
         credential-type=oauth, username = the key's identifier, access-token and mac-key in Base64; \
         default empty; changeable until READY)"
    ),
    row!(
        "ice-transport-policy",
        ice_transport_policy,
        |name| glib::ParamSpecEnum::builder_with_default(name, TransportPolicy::All)
            .mutable_ready(),
        "Which ways to the peer may be used: all (default), or relay = by TURN alone, so that peers \
         never see an address of this machine (changeable until READY)"
    ),
    row!(
        "ice-tcp",
        ice_tcp,
        |name| glib::ParamSpecBoolean::builder(name)
            .default_value(true)
            .mutable_ready(),
        "Take connections by TCP on the number of udp-port, and make them, where UDP finds no path \
         within a second (default true, as some networks let no UDP through; changeable until READY)"
    ),
    text!("tls-ca", tls_ca, |_| {
        "Certificate authorities that turns: servers, and servers of signalling, are verified with (path of \
         a PEM file; default empty = those of the system; changeable until READY)"
    }),
    row!(
        "tls-insecure",
        tls_insecure,
        |name| glib::ParamSpecBoolean::builder(name).mutable_ready(),
        "Take any certificate of a server of signalling: for tests alone, as whoever is in between can \
         then read and change everything (default false; changeable until READY)"
    ),
];

const fn uri_blurb(role: Role) -> &'static str {
    match role {
        Role::Sink => {
            "How peers are found: empty (default) = serve, an embedded web server with page, WHEP and \
             WebSocket at web-address, so that nothing else need be started; whip://HOST:PORT/PATH or \
             whips:// to publish to a WHIP server; loopback:NAME; application: (URI; changeable until \
             READY)"
        }
        Role::Source => {
            "How peers are found: empty (default) = serve, an embedded web server with a publish page \
             and WHIP at web-address, so that nothing else need be started; whep://HOST:PORT/PATH or \
             wheps:// to view a WHEP server; loopback:NAME (URI; changeable until READY)"
        }
        Role::Data => {
            "How peers are found: empty (default) = serve, an embedded web server with a page and WHEP \
             at web-address, so that nothing else need be started; loopback:NAME (URI; \
             changeable until READY)"
        }
    }
}

const fn token_blurb(role: Role) -> &'static str {
    match role {
        Role::Sink => {
            "Bearer token that serve demands of its peers, or that a WHIP server demands of us (text, \
             write-only; default empty = none, for it listens on this machine alone; changeable until \
             READY)"
        }
        Role::Source => {
            "Bearer token that serve demands of its peers, or that a WHEP server demands of us (text, \
             write-only; default empty = none, for it listens on this machine alone; changeable until \
             READY)"
        }
        Role::Data => {
            "Bearer token that serve demands of its peers (text, write-only; default empty = none, for \
             it listens on this machine alone; changeable until READY)"
        }
    }
}
