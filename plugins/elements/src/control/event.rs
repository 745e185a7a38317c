// SPDX-License-Identifier: MPL-2.0
//! Navigation events from JSON, in the picture's own pixels, as GstNavigation's structures.
//!
//! The names and fields are those of gstreamer-rs's `NavigationEvent`. Two additions: `width` and `height` tell
//! the size of the picture that `x` and `y` are places in (a viewer may get a smaller one), and gamepads, for
//! which GstNavigation has no events of its own, have five: `gamepad-connected` and `-disconnected`,
//! `gamepad-button-press` and `-release`, `gamepad-axis`.
use gst::glib;
use gst_video::NavigationModifierType;
use serde_json::Value;

/// One event, checked.
#[derive(Clone, Debug)]
pub(super) struct Navigation {
    name: &'static str,
    fields: Vec<(&'static str, Field)>,
    modifiers: Option<NavigationModifierType>,
    /// The size its places are in.
    size: Option<(f64, f64)>,
}

#[derive(Clone, Debug, PartialEq)]
enum Field {
    /// A place or a length along the picture's width.
    Across(f64),
    /// One along its height.
    Down(f64),
    Number(f64),
    Integer(i32),
    Unsigned(u32),
    Text(String),
}

/// How to read a field: its name in JSON, in the structure, and what it is.
type Reader = (&'static str, &'static str, fn(&Value) -> Option<Field>);

/// An event's name in JSON and in GstNavigation, its fields, and whether modifiers belong to it.
struct Row(&'static str, &'static str, &'static [Reader], bool);

const X: Reader = ("x", "pointer_x", |v| number(v).map(Field::Across));
const Y: Reader = ("y", "pointer_y", |v| number(v).map(Field::Down));
const KEY: Reader = ("key", "key", text);
const BUTTON: Reader = ("button", "button", integer);
const SCROLL_X: Reader = ("delta_x", "delta_pointer_x", plain);
const SCROLL_Y: Reader = ("delta_y", "delta_pointer_y", plain);
const FINGER: Reader = ("identifier", "identifier", unsigned);
const PRESSURE: Reader = ("pressure", "pressure", plain);
const PAD: Reader = ("gamepad", "gamepad", unsigned);
const VALUE: Reader = ("value", "value", plain);

const ROWS: [Row; 16] = [
    Row("KeyPress", "key-press", &[KEY], true),
    Row("KeyRelease", "key-release", &[KEY], true),
    Row("MouseMove", "mouse-move", &[X, Y], true),
    Row(
        "MouseButtonPress",
        "mouse-button-press",
        &[BUTTON, X, Y],
        true,
    ),
    Row(
        "MouseButtonRelease",
        "mouse-button-release",
        &[BUTTON, X, Y],
        true,
    ),
    Row(
        "MouseScroll",
        "mouse-scroll",
        &[X, Y, SCROLL_X, SCROLL_Y],
        true,
    ),
    Row("TouchDown", "touch-down", &[FINGER, X, Y, PRESSURE], true),
    Row(
        "TouchMotion",
        "touch-motion",
        &[FINGER, X, Y, PRESSURE],
        true,
    ),
    Row("TouchUp", "touch-up", &[FINGER, X, Y], true),
    Row("TouchFrame", "touch-frame", &[], true),
    Row("TouchCancel", "touch-cancel", &[], true),
    Row(
        "GamepadConnected",
        "gamepad-connected",
        &[PAD, ("id", "id", text)],
        false,
    ),
    Row("GamepadDisconnected", "gamepad-disconnected", &[PAD], false),
    Row(
        "GamepadButtonPress",
        "gamepad-button-press",
        &[PAD, BUTTON, VALUE],
        false,
    ),
    Row(
        "GamepadButtonRelease",
        "gamepad-button-release",
        &[PAD, BUTTON, VALUE],
        false,
    ),
    Row(
        "GamepadAxis",
        "gamepad-axis",
        &[PAD, ("axis", "axis", integer), VALUE],
        false,
    ),
];

impl Navigation {
    /// From an object of JSON; the error says what is wrong with it.
    pub(super) fn parse(event: &Value) -> Result<Self, String> {
        let name = event.get("event").and_then(Value::as_str);
        let name = name.ok_or_else(|| "a navigation event without a name".to_owned())?;
        let Some(Row(_, nick, readers, modified)) = ROWS.iter().find(|row| row.0 == name) else {
            return Err(format!("no such navigation event: {name}"));
        };
        let mut fields = Vec::with_capacity(readers.len());
        for (from, to, read) in *readers {
            match event.get(from) {
                // A touch's may be unknown.
                None if *from == "pressure" => {}
                value => {
                    let field = value.and_then(read);
                    let field = field.ok_or_else(|| format!("{name} without a good `{from}`"))?;
                    fields.push((*to, field));
                }
            }
        }
        let modifiers = match event.get("modifier_state").and_then(Value::as_str) {
            Some(names) => Some(modifiers(names)?),
            None => Some(NavigationModifierType::empty()),
        };
        let side = |name| event.get(name).and_then(number).filter(|size| *size >= 1.0);
        Ok(Self {
            name: nick,
            fields,
            modifiers: modifiers.filter(|_| *modified),
            size: side("width").zip(side("height")),
        })
    }

    /// The structure of the event, for a picture of that size.
    pub(super) fn structure(&self, size: Option<(f64, f64)>) -> gst::Structure {
        let (across, down) = match (size, self.size) {
            (Some((width, height)), Some((seen_width, seen_height))) => {
                (width / seen_width, height / seen_height)
            }
            _ => (1.0, 1.0),
        };
        let mut structure = gst::Structure::builder("application/x-gst-navigation")
            .field("event", self.name)
            .build();
        for (name, field) in &self.fields {
            match field {
                Field::Across(at) => structure.set(*name, at * across),
                Field::Down(at) => structure.set(*name, at * down),
                Field::Number(value) => structure.set(*name, value),
                Field::Integer(value) => structure.set(*name, value),
                Field::Unsigned(value) => structure.set(*name, value),
                Field::Text(value) => structure.set(*name, value),
            }
        }
        structure.set_if_some("state", self.modifiers);
        structure
    }
}

/// From nicks with `+` between, as GStreamer writes flags.
fn modifiers(names: &str) -> Result<NavigationModifierType, String> {
    let class = glib::FlagsClass::new::<NavigationModifierType>();
    let mut bits = 0;
    for name in names.split('+').filter(|name| !name.is_empty()) {
        let value = class.value_by_nick(name);
        bits |= value
            .ok_or_else(|| format!("no such modifier: {name}"))?
            .value();
    }
    Ok(NavigationModifierType::from_bits_truncate(bits))
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().filter(|number| number.is_finite())
}

fn plain(value: &Value) -> Option<Field> {
    number(value).map(Field::Number)
}

fn integer(value: &Value) -> Option<Field> {
    i32::try_from(value.as_i64()?).ok().map(Field::Integer)
}

fn unsigned(value: &Value) -> Option<Field> {
    // Browsers count some touches from below zero; the same finger stays the same.
    Some(Field::Unsigned(value.as_i64()? as u32))
}

fn text(value: &Value) -> Option<Field> {
    let text = value.as_str()?;
    let short = text.len() <= 128 && !text.contains('\0');
    short.then(|| Field::Text(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_event_of_gstreamer_is_what_gstreamer_reads() {
        gst::init().unwrap();
        for event in [
            json!({"event": "KeyPress", "key": "Return"}),
            json!({"event": "KeyRelease", "key": "a"}),
            json!({"event": "MouseMove", "x": 1, "y": 2.5}),
            json!({"event": "MouseButtonPress", "button": 1, "x": 1, "y": 2}),
            json!({"event": "MouseButtonRelease", "button": 3, "x": 1, "y": 2}),
            json!({"event": "MouseScroll", "x": 1, "y": 2, "delta_x": 0, "delta_y": -120}),
            json!({"event": "TouchDown", "identifier": 5, "x": 1, "y": 2, "pressure": 0.5}),
            json!({"event": "TouchMotion", "identifier": 5, "x": 1, "y": 2, "pressure": 0.5}),
            json!({"event": "TouchUp", "identifier": 5, "x": 1, "y": 2}),
            json!({"event": "TouchFrame"}),
            json!({"event": "TouchCancel"}),
        ] {
            let structure = Navigation::parse(&event).unwrap().structure(None);
            let event = gst::event::Navigation::new(structure);
            let read = gst_video::NavigationEvent::parse(&event);
            assert!(read.is_ok(), "{event:?}: {read:?}");
        }
    }

    #[test]
    fn places_are_scaled_to_the_picture() {
        gst::init().unwrap();
        let event = json!({
            "event": "MouseButtonPress", "button": 1, "x": 80, "y": 60, "width": 320, "height": 240,
            "modifier_state": "shift-mask+button1-mask",
        });
        let structure = Navigation::parse(&event)
            .unwrap()
            .structure(Some((1280.0, 480.0)));
        let at = (structure.get("pointer_x"), structure.get("pointer_y"));
        assert_eq!(at, (Ok(320.0), Ok(120.0)));
        let state = structure.get::<NavigationModifierType>("state").unwrap();
        let wanted = NavigationModifierType::SHIFT_MASK | NavigationModifierType::BUTTON1_MASK;
        assert_eq!(state, wanted);
    }

    #[test]
    fn what_is_no_event_is_refused_and_said() {
        gst::init().unwrap();
        for (event, word) in [
            (json!(null), "name"),
            (json!({"event": "Jump"}), "Jump"),
            (json!({"event": "KeyPress"}), "key"),
            (json!({"event": "KeyPress", "key": "x".repeat(200)}), "key"),
            (json!({"event": "MouseMove", "x": "1", "y": 1}), "x"),
            (
                json!({"event": "MouseMove", "x": 1, "y": 1, "modifier_state": "up"}),
                "up",
            ),
            (
                json!({"event": "GamepadAxis", "gamepad": 0, "axis": 1}),
                "value",
            ),
        ] {
            let why = Navigation::parse(&event).unwrap_err();
            assert!(why.contains(word), "{why}");
        }
    }
}
