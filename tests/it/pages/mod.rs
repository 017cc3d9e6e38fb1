//! The pages: what they show, fetched as a browser does, without a script.

mod details;
mod error;
mod errors;
mod exports;
mod frame;
mod health;
mod ledger;
mod live;
mod login;
mod message;
mod messages;
mod overview;
mod reports;
mod search;

use crate::support::{App, Request, Response};

/// Fetches a page as a browser does.
fn visit(app: &App, target: &str) -> Response {
    app.ask(
        Request::new("GET", target).header("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
    )
}

/// The HTML of a page that can be shown.
#[track_caller]
pub fn html(app: &App, target: &str) -> String {
    let page = visit(app, target);
    let html = String::from_utf8(page.body).unwrap();
    assert_eq!(page.code, 200, "{target}: {html}");
    html
}

/// The words that a page shows within its `main`, with single spaces.
#[track_caller]
pub fn text(html: &str) -> String {
    let main = html.split_once("<main").expect("a main element").1;
    let main = main.split_once('>').unwrap().1.split_once("</main>").unwrap().0;
    let mut text = String::new();
    let mut in_tag = false;
    for letter in main.chars() {
        match letter {
            '<' => in_tag = true,
            '>' => {
                in_tag = false;
                text.push(' ');
            }
            letter if !in_tag => text.push(letter),
            _ => {}
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The path and query of each link within `main` whose text contains this.
fn links(html: &str, containing: &str) -> Vec<String> {
    let main = html.split_once("<main").expect("a main element").1;
    let main = main.split_once("</main>").unwrap().0;
    let links = main.split("<a ").skip(1).filter_map(|rest| rest.split_once("</a>"));
    let links = links
        .map(|(link, _)| link)
        .filter(|link| link.split_once('>').is_some_and(|(_, text)| text.contains(containing)));
    let target = |link: &str| {
        let target = link.split_once("href=\"")?.1.split_once('"')?.0;
        Some(target.replace("&amp;", "&").replace("&#38;", "&"))
    };
    links.filter_map(target).collect()
}

/// The hidden fields of the form that is sent to this path, as the beginning of a body.
#[track_caller]
fn hidden_fields(html: &str, action: &str) -> String {
    let form = html.split_once(&format!("action=\"{action}\"")).expect("a form").1;
    let form = form.split_once("</form>").unwrap().0;
    let hidden = form.split("<input type=\"hidden\" name=\"").skip(1).map(|rest| {
        let (name, rest) = rest.split_once("\" value=\"").unwrap();
        format!("{name}={}&", rest.split('"').next().unwrap())
    });
    hidden.collect()
}
