// SPDX-License-Identifier: MPL-2.0
//! Refusals over HTTP: a status and, as `application/problem+json` (RFC 9457), the reason in words.
use crate::sessions::End;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rtc_signaller::EndCode;

#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) detail: String,
    /// Seconds after which to try again.
    pub(crate) retry_after: Option<u16>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            retry_after: None,
        }
    }

    pub(crate) fn retry_after(mut self, seconds: u16) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

impl From<End> for Problem {
    fn from(End { code, text }: End) -> Self {
        // An end without a fault is no answer either.
        let status = match code {
            EndCode::Bye => StatusCode::SERVICE_UNAVAILABLE,
            code => StatusCode::from_u16(code.http_status())
                .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        };
        let detail = if text.is_empty() {
            code.as_str().to_owned()
        } else {
            text
        };
        let problem = Self::new(status, detail);
        match status {
            StatusCode::SERVICE_UNAVAILABLE => problem.retry_after(2),
            _ => problem,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::json!({
            "status": self.status.as_u16(),
            "title": self.status.canonical_reason().unwrap_or("refused"),
            "detail": self.detail,
        });
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
