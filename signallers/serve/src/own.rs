// SPDX-License-Identifier: MPL-2.0
//! An application's own pages, from the folder of the property `directory`.
use crate::hub::Hub;
use crate::pages;
use crate::problem::Problem;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Content types beside those of the built-in pages.
const TYPES: [(&str, &str); 7] = [
    ("mjs", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("txt", "text/plain; charset=utf-8"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("webp", "image/webp"),
    ("wasm", "application/wasm"),
];

/// The largest file served, bytes: it is read whole.
const LARGEST: u64 = 64 * 1024 * 1024;

/// The folder that the property names, without links; the error says what is wrong with it.
pub(crate) fn folder(directory: &str) -> Result<Option<PathBuf>, String> {
    if directory.is_empty() {
        return Ok(None);
    }
    match Path::new(directory).canonicalize() {
        Ok(path) if path.is_dir() => Ok(Some(path)),
        Ok(_) => Err(format!(
            "directory={directory} is a file; name the folder it is in"
        )),
        Err(error) => Err(format!(
            "directory={directory}: {error}; name a folder with an index.html"
        )),
    }
}

/// A page that the application may have one of its own for.
pub(crate) async fn first(
    name: &'static str,
    State(hub): State<Arc<Hub>>,
    headers: HeaderMap,
) -> Response {
    match read(&hub, name).await {
        Some(response) => response,
        None => pages::page(name, headers),
    }
}

/// Any path that is not of the server itself.
pub(crate) async fn file(State(hub): State<Arc<Hub>>, method: Method, uri: Uri) -> Response {
    if method == Method::GET
        && let Some(response) = read(&hub, uri.path().trim_start_matches('/')).await
    {
        return response;
    }
    let detail = "there are /, /publish, /ws, /whep, /whip and /healthz here";
    Problem::new(StatusCode::NOT_FOUND, detail).into_response()
}

async fn read(hub: &Hub, path: &str) -> Option<Response> {
    let folder = hub.directory.clone()?;
    let path = path.to_owned();
    let (content_type, data) = tokio::task::spawn_blocking(move || load(&folder, &path))
        .await
        .ok()??;
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    Some((headers, data).into_response())
}

/// The file of a path in the folder, with its type.
fn load(folder: &Path, path: &str) -> Option<(&'static str, Vec<u8>)> {
    if !path.split('/').all(is_plain) {
        return None;
    }
    // A link may lead out of the folder.
    let file = folder.join(path).canonicalize().ok()?;
    let metadata = file.metadata().ok()?;
    if !file.starts_with(folder) || !metadata.is_file() || metadata.len() > LARGEST {
        return None;
    }
    let extension = file.extension().and_then(|extension| extension.to_str());
    let mut types = pages::TYPES.iter().chain(&TYPES);
    let known = types.find(|(of, _)| Some(*of) == extension);
    let content_type = known.map_or("application/octet-stream", |(_, content_type)| content_type);
    Some((content_type, std::fs::read(file).ok()?))
}

/// Names of files as pages have them: no escapes, nothing hidden, no way up.
fn is_plain(part: &str) -> bool {
    let of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !part.is_empty() && !part.starts_with('.') && part.bytes().all(of_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_folder_are_served() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"))
            .canonicalize()
            .unwrap();
        let pages = here.join("pages");
        let (content_type, data) = load(&pages, "index.html").unwrap();
        assert_eq!(content_type, "text/html; charset=utf-8");
        assert!(!data.is_empty());
        assert!(load(&here, "pages/call.js").is_some());
        for path in [
            "../Cargo.toml",
            "..",
            "",
            "/etc/passwd",
            "a/../index.html",
            ".hidden",
            "%2e%2e/Cargo.toml",
            "none.js",
        ] {
            assert!(load(&pages, path).is_none(), "{path}");
        }
        assert!(load(&here, "pages").is_none());
    }

    #[test]
    fn a_folder_that_is_none_is_told() {
        assert_eq!(folder(""), Ok(None));
        assert!(
            folder("/no/such/folder")
                .unwrap_err()
                .contains("/no/such/folder")
        );
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        assert!(folder(file).unwrap_err().contains("is a file"));
    }
}
