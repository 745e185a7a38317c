// SPDX-License-Identifier: MPL-2.0
//! The list of connectivity properties: name, blurb, value, and where each is kept.
use super::servers::TransportPolicy;
use super::settings::{Connect, DEFAULT_UDP_PORT, DEFAULT_WEB_ADDRESS, Dtls, Families, Role};
use gst::glib;
use gst::glib::prelude::*;
use gst::prelude::GstParamSpecBuilderExt;
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
    row!(
        "ip-families",
        ip_families,
        |name| glib::ParamSpecEnum::builder_with_default(name, Families::Both).mutable_ready(),
        "IP versions of the sessions' sockets and candidates (default both, as the peer may have \
         either; changeable until READY)"
    ),
    text!("interfaces", interfaces, |_| {
        "Network interfaces whose addresses are offered, by name (separated by commas; default empty = \
         all, as the peer may be behind any; changeable until READY)"
    }),
    text!("announced-addresses", announced_addresses, |_| {
        "IP addresses to offer beside the machine's own: those of a NAT that forwards udp-port here \
         (separated by commas; default empty; changeable until READY)"
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
         for TURN username and credential, as W3C's RTCIceServer; default empty; changeable until READY)"
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
        "Certificate authorities that turns: servers are verified with (path of a PEM file; default \
         empty = those of the system; changeable until READY)"
    }),
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
