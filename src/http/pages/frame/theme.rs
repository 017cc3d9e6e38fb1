//! The theme of the pages: what the system prefers, light or dark. A cookie has it, so that the first byte of a
//! page is already right.

use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

use crate::http::auth::form::CheckedForm;
use crate::http::error::Problem;

/// The name of the cookie.
const COOKIE: &str = "theme";

/// How long the cookie is kept: browsers keep none for longer than about 400 days.
const KEPT: Duration = Duration::days(365);

/// The colours of the pages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// As the system prefers.
    #[default]
    System,
    Light,
    Dark,
}

/// The form that sets the theme.
#[derive(Deserialize)]
pub struct ThemeForm {
    theme: Theme,
    /// The page to return to.
    #[serde(rename = "return")]
    target: String,
}

impl Theme {
    /// Every theme, in the order in which they are offered.
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// The theme of a request's cookie.
    pub fn from_request(request: &HttpRequest) -> Self {
        let cookie = request.cookie(COOKIE);
        let named = |theme: &Self| cookie.as_ref().is_some_and(|c| c.value() == theme.name());
        Self::ALL.into_iter().find(named).unwrap_or_default()
    }

    /// The name in the form, the cookie and `data-theme`.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// `POST /theme`: sets the theme and returns to the page.
pub async fn set(form: CheckedForm<ThemeForm>) -> Result<HttpResponse, Problem> {
    let CheckedForm(ThemeForm { theme, target }) = form;
    let cookie = Cookie::build(COOKIE, theme.name()).path("/").http_only(true);
    let cookie = cookie.same_site(SameSite::Strict).max_age(KEPT).finish();
    let target = if is_own_path(&target) { target } else { "/".to_owned() };
    Ok(HttpResponse::SeeOther().cookie(cookie).insert_header((LOCATION, target)).finish())
}

/// True for a path and query of this server. A browser would read `//host` and `/\host` as another server.
pub fn is_own_path(target: &str) -> bool {
    let mut characters = target.chars();
    let begins = characters.next() == Some('/') && !matches!(characters.next(), Some('/' | '\\'));
    begins && target.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::is_own_path;

    #[test]
    fn only_paths_of_this_server_are_returned_to() {
        for own in ["/", "/messages?to=%2B1415*&limit=3", "/messages/SM1#p3"] {
            assert!(is_own_path(own), "{own}");
        }
        for foreign in ["", "//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nb"]
        {
            assert!(!is_own_path(foreign), "{foreign:?}");
        }
    }
}
