// SPDX-License-Identifier: MPL-2.0
//! The pages, built into the binary, under a policy that lets them load nothing from elsewhere.
use crate::http::text;
use crate::problem::Problem;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "pages/"]
struct Pages;

/// Content types by file extension: all that the pages consist of.
pub(crate) const TYPES: [(&str, &str); 4] = [
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("svg", "image/svg+xml"),
];

/// An HTML page.
pub(crate) fn page(name: &str, headers: HeaderMap) -> Response {
    serve(name, &headers)
}

/// `GET /static/NAME`
pub(crate) async fn file(Path(name): Path<String>, headers: HeaderMap) -> Response {
    serve(&name, &headers)
}

fn serve(name: &str, headers: &HeaderMap) -> Response {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let content_type = TYPES.iter().find(|(known, _)| *known == extension);
    let (Some(file), Some((_, content_type))) = (Pages::get(name), content_type) else {
        return Problem::new(StatusCode::NOT_FOUND, "no such file").into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, (*content_type).to_owned()),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
        (
            header::CONTENT_SECURITY_POLICY,
            policy(text(headers, header::HOST)),
        ),
    ];
    (headers, file.data.into_owned()).into_response()
}

/// Scripts and styles from here alone. The socket's address is named, as not every browser takes it for
/// `'self'`; blobs may be workers, for encoded transforms.
fn policy(host: Option<&str>) -> String {
    let plain = |host: &&str| {
        host.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
    };
    let sockets = host
        .filter(plain)
        .map_or_else(String::new, |host| format!(" ws://{host} wss://{host}"));
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
         media-src 'self' blob: mediastream:; connect-src 'self'{sockets}; worker-src 'self' blob:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_type_and_pages_name_only_files_that_exist() {
        let names: Vec<_> = Pages::iter().collect();
        assert!(names.len() >= 5, "{names:?}");
        for name in &names {
            let response = serve(name, &HeaderMap::new());
            assert_eq!(response.status(), StatusCode::OK, "{name}");
            let data = Pages::get(name).unwrap().data;
            let text = std::str::from_utf8(&data).unwrap();
            for (_, rest) in text
                .match_indices("static/")
                .map(|(at, found)| (at, &text[at + found.len()..]))
            {
                let linked = rest.split(['"', '\'']).next().unwrap();
                assert!(
                    names.iter().any(|name| name == linked),
                    "{name} names {linked}"
                );
            }
            let elsewhere = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!elsewhere.contains("://"), "{name} names another place");
        }
    }

    #[test]
    fn a_strange_host_does_not_enter_the_policy() {
        assert!(policy(Some("[::1]:8080")).contains("ws://[::1]:8080 "));
        let odd = policy(Some("x; script-src *"));
        assert!(
            !odd.contains("script-src *") && !odd.contains("ws://"),
            "{odd}"
        );
    }
}
