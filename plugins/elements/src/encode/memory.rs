// SPDX-License-Identifier: MPL-2.0
//! From where the input's frames lie to where an encoder reads them: straight, through the device's own
//! converter, or by way of the system's memory.
use super::row::Row;

/// Memory of a device.
struct Device {
    feature: &'static str,
    /// Brings frames out of it; converters of the processor take none but the system's memory.
    download: &'static str,
    /// Changes the format within it.
    convert: Option<&'static str>,
}

const DEVICES: [Device; 6] = [
    Device {
        feature: "memory:GLMemory",
        download: "gldownload",
        convert: Some("glcolorconvert"),
    },
    Device {
        feature: "memory:CUDAMemory",
        download: "cudadownload",
        convert: Some("cudaconvert"),
    },
    Device {
        feature: "memory:D3D11Memory",
        download: "d3d11download",
        convert: Some("d3d11convert"),
    },
    Device {
        feature: "memory:VAMemory",
        download: "vapostproc",
        convert: Some("vapostproc"),
    },
    Device {
        feature: "memory:DMABuf",
        download: "vapostproc",
        convert: None,
    },
    Device {
        feature: "memory:NVMM",
        download: "nvvidconv",
        convert: Some("nvvidconv"),
    },
];

/// The way of frames to an encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// They stay in the device's memory; the element changes their format there.
    Device(Option<&'static str>),
    /// They come to the system's memory, by that element if they are not there, where the processor
    /// converts them.
    System(Option<&'static str>),
}

fn device_of(input: &gst::CapsRef) -> Option<&'static Device> {
    let features = input.features(0)?;
    DEVICES
        .iter()
        .find(|device| features.contains(device.feature))
}

/// How the input gets to an encoder of that factory.
pub(super) fn way(
    input: Option<&gst::CapsRef>,
    row: Option<&Row>,
    factory: &gst::ElementFactory,
) -> Way {
    let Some((input, device)) = input.and_then(|input| Some((input, device_of(input)?))) else {
        return Way::System(None);
    };
    if row.is_some_and(|row| row.memory.contains(&device.feature)) {
        if factory.can_sink_any_caps(input) {
            return Way::Device(None);
        }
        let convert = device.convert.filter(|name| is_installed(name));
        if takes(factory, device.feature) && convert.is_some() {
            return Way::Device(convert);
        }
    }
    Way::System(Some(device.download))
}

/// Whether an encoder of the row reads what the input's frames lie in.
pub(super) fn reads(input: Option<&gst::CapsRef>, row: &Row) -> bool {
    let device = input.and_then(device_of);
    device.is_some_and(|device| row.memory.contains(&device.feature))
}

fn takes(factory: &gst::ElementFactory, feature: &str) -> bool {
    let caps = gst::Caps::builder("video/x-raw")
        .features([feature])
        .build();
    factory.can_sink_any_caps(&caps)
}

pub(super) fn is_installed(factory: &str) -> bool {
    gst::ElementFactory::find(factory).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_memory_of_a_device_is_downloaded() {
        gst::init().expect("GStreamer starts");
        let encoder = gst::ElementFactory::find("x264enc").expect("x264enc is installed");
        for (text, expected) in [
            ("video/x-raw,format=I420", None),
            ("video/x-raw(memory:SystemMemory),format=I420", None),
            ("video/x-raw(meta:GstVideoOverlayComposition)", None),
            (
                "video/x-raw(memory:GLMemory),format=RGBA",
                Some("gldownload"),
            ),
            ("video/x-raw(memory:DMABuf)", Some("vapostproc")),
        ] {
            let caps: gst::Caps = text.parse().expect("caps");
            let way = way(Some(&caps), None, &encoder);
            assert_eq!(way, Way::System(expected), "{text}");
        }
    }
}
