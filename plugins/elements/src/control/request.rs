// SPDX-License-Identifier: MPL-2.0
//! The messages of the channels `control` and `input`: webrtcsink's, as `gstwebrtc-api` 3.0 sends them.
//!
//! ```json
//! {"id": 7, "request": {"type": "navigationEvent", "event": {"event": "MouseMove", "x": 1, "y": 2}}}
//! {"id": 8, "request": {"type": "customUpstreamEvent", "structureName": "name", "structure": {"field": true}}}
//! {"type": "ControlResponseMessage", "id": 7, "error": null}
//! ```
use super::event::Navigation;
use gst::glib;
use gst::prelude::*;
use serde_json::{Value, json};

/// What is asked for.
#[derive(Clone, Debug)]
pub(super) enum Request {
    Navigation(Navigation),
    Custom(gst::Structure),
}

impl Request {
    /// A message of `control`: its id, and the request or what is wrong with it. An error of its own if not
    /// even the id can be told.
    pub(super) fn parse(text: &str) -> Result<(u64, Result<Self, String>), String> {
        let message: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let id = message.get("id").and_then(Value::as_u64);
        let id = id.ok_or_else(|| "a control message without an id".to_owned())?;
        if message.get("mid").is_some_and(|mid| !mid.is_null()) {
            let why = "requests for one m-line are not taken; leave `mid` out";
            return Ok((id, Err(why.to_owned())));
        }
        let request = match message.get("request") {
            // The request may be a text that is JSON.
            Some(Value::String(text)) => {
                serde_json::from_str(text).map_err(|error| error.to_string())
            }
            Some(request) => Ok(request.clone()),
            None => Err("no request".to_owned()),
        };
        Ok((id, request.and_then(|request| Self::of(&request))))
    }

    /// A message of `input`.
    pub(super) fn event_alone(text: &str) -> Result<Self, String> {
        let event: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        Navigation::parse(&event).map(Self::Navigation)
    }

    fn of(request: &Value) -> Result<Self, String> {
        match request.get("type").and_then(Value::as_str) {
            Some("navigationEvent") => {
                let event = request.get("event").unwrap_or(&Value::Null);
                Navigation::parse(event).map(Self::Navigation)
            }
            Some("customUpstreamEvent") => custom(request).map(Self::Custom),
            Some(other) => Err(format!("no such type of request: {other}")),
            None => Err("a request without a type".to_owned()),
        }
    }

    pub(super) fn is_navigation(&self) -> bool {
        matches!(self, Self::Navigation(_))
    }

    /// The event for an input whose picture has that size.
    pub(super) fn event(&self, size: Option<(f64, f64)>) -> gst::Event {
        match self {
            Self::Navigation(event) => gst::event::Navigation::new(event.structure(size)),
            Self::Custom(structure) => gst::event::CustomUpstream::new(structure.clone()),
        }
    }
}

/// The answer to a request.
pub(super) fn answer(id: u64, error: Option<String>) -> String {
    json!({"type": "ControlResponseMessage", "id": id, "error": error}).to_string()
}

fn custom(request: &Value) -> Result<gst::Structure, String> {
    let name = request.get("structureName").and_then(Value::as_str);
    let name = name.filter(|name| is_name(name));
    let name = name.ok_or_else(|| "no structureName of letters, digits and -_/.".to_owned())?;
    let fields = request.get("structure").and_then(Value::as_object);
    let fields = fields.ok_or_else(|| "no structure".to_owned())?;
    let mut structure = gst::Structure::new_empty(name);
    for (field, value) in fields {
        if !is_name(field) {
            return Err(format!("{field:?} can't be a field's name"));
        }
        let value = plain(value)
            .ok_or_else(|| format!("{field}: texts, numbers and booleans are taken alone"))?;
        structure.set_value(field, value);
    }
    Ok(structure)
}

/// Numbers are of the types that webrtcsink gives them.
fn plain(value: &Value) -> Option<glib::SendValue> {
    match value {
        Value::Bool(value) => Some(value.to_send_value()),
        Value::String(value) => Some(value.to_send_value()),
        Value::Number(number) => number
            .as_u64()
            .map(|number| number.to_send_value())
            .or_else(|| number.as_i64().map(|number| number.to_send_value()))
            .or_else(|| number.as_f64().map(|number| number.to_send_value())),
        _ => None,
    }
}

/// What GStreamer takes as a structure's or a field's name.
fn is_name(name: &str) -> bool {
    let of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_/.".contains(&byte);
    name.len() <= 64
        && name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
        && name.bytes().all(of_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_gstwebrtc_api_are_understood() {
        gst::init().unwrap();
        let event = r#"{"event":"KeyPress","key":"a","modifier_state":""}"#;
        let inner = format!(r#"{{"type":"navigationEvent","event":{event}}}"#);
        let quoted = serde_json::to_string(&inner).unwrap();
        for request in [&inner, &quoted] {
            let text = format!(r#"{{"id":3,"request":{request}}}"#);
            let (id, request) = Request::parse(&text).unwrap();
            let event = request.unwrap().event(None);
            assert_eq!(id, 3);
            assert_eq!(event.structure().unwrap().get("key"), Ok("a"), "{event:?}");
        }
        assert!(Request::event_alone(event).unwrap().is_navigation());
        let custom = r#"{"id":4,"request":{"type":"customUpstreamEvent","structureName":"go","structure":{"fast":true,"by":-2}}}"#;
        let (_, request) = Request::parse(custom).unwrap();
        let event = request.unwrap().event(None);
        let fields = event.structure().unwrap();
        assert_eq!(
            (fields.get("fast"), fields.get("by")),
            (Ok(true), Ok(-2i64))
        );
        assert_eq!(event.type_(), gst::EventType::CustomUpstream);
    }

    #[test]
    fn nonsense_is_an_error_that_is_answered_where_it_has_an_id() {
        gst::init().unwrap();
        for text in ["", "[]", "{}", r#"{"id":-1,"request":{}}"#] {
            assert!(Request::parse(text).is_err(), "{text}");
        }
        for request in [
            "null",
            "{}",
            r#"{"type":"x"}"#,
            r#"{"type":"navigationEvent"}"#,
            r#"{"type":"customUpstreamEvent","structureName":"a b","structure":{}}"#,
            r#"{"type":"customUpstreamEvent","structureName":"a","structure":{"1":1}}"#,
            r#"{"type":"customUpstreamEvent","structureName":"a","structure":{"b":[1]}}"#,
        ] {
            let text = format!(r#"{{"id":1,"request":{request}}}"#);
            assert!(Request::parse(&text).unwrap().1.is_err(), "{text}");
        }
        let said: Value = serde_json::from_str(&answer(1, Some("no".into()))).unwrap();
        assert_eq!(said["error"], "no");
    }
}
