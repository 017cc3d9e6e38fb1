//! Server-Sent Events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).

use std::convert::Infallible;
use std::fmt::Write;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, ContentEncoding};
use actix_web::web::Bytes;
use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

/// The media type of a stream of events.
const MEDIA_TYPE: &str = "text/event-stream";

/// A comment, which clients ignore.
const KEEP_ALIVE: &[u8] = b": keep-alive\n\n";

/// One event of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    name: Option<&'static str>,
    id: Option<String>,
    data: String,
}

impl Event {
    /// An event with this data, without a name or an id.
    pub fn new(data: String) -> Self {
        Self { name: None, id: None, data }
    }

    /// The same with a name. A name is one line.
    pub fn with_name(self, name: &'static str) -> Self {
        Self { name: Some(name), ..self }
    }

    /// The same with an id, which a client that reconnects sends as `Last-Event-ID`. An id is one line.
    pub fn with_id(self, id: impl ToString) -> Self {
        Self { id: Some(id.to_string()), ..self }
    }

    /// The event as the stream contains it.
    fn to_text(&self) -> String {
        let mut text = String::with_capacity(self.data.len() + 64);
        let mut line = |field: &str, value: &str| {
            writeln!(text, "{field}: {value}").expect("a String takes every text");
        };
        if let Some(name) = self.name {
            line("event", name);
        }
        if let Some(id) = &self.id {
            line("id", id);
        }
        // Each kind of line break ends a field, so that one in the data begins another field.
        let data = self.data.replace("\r\n", "\n");
        data.split(['\n', '\r']).for_each(|part| line("data", part));
        text.push('\n');
        text
    }
}

/// The response that sends these events as they come, until their sender is dropped: first how long a
/// client waits before it reconnects, and a comment whenever there was no event for `keep_alive`.
pub fn response(events: Receiver<Event>, keep_alive: Duration, retry: Duration) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(MEDIA_TYPE)
        // A compressed event would wait for the next ones.
        .insert_header(ContentEncoding::Identity)
        .insert_header((CACHE_CONTROL, "no-cache"))
        .streaming(chunks(events, keep_alive, retry))
}

fn chunks(
    events: Receiver<Event>,
    keep_alive: Duration,
    retry: Duration,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let first = format!("retry: {}\n\n", retry.as_millis());
    unfold((Some(first), events), move |(first, mut events)| async move {
        let chunk = match first {
            Some(first) => Bytes::from(first),
            None => match timeout(keep_alive, events.recv()).await {
                Ok(event) => Bytes::from(event?.to_text()),
                Err(_) => Bytes::from_static(KEEP_ALIVE),
            },
        };
        Some((Ok(chunk), (None, events)))
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::StreamExt;
    use proptest::prelude::*;
    use tokio::sync::mpsc;

    use super::{Event, chunks};

    #[test]
    fn an_event_has_its_name_its_id_and_a_field_for_each_line_of_its_data() {
        let event = Event::new("a\nb\r\nc\r\rd\n".to_owned()).with_name("rows").with_id(7);
        let expected = "event: rows\nid: 7\ndata: a\ndata: b\ndata: c\ndata: \ndata: d\ndata: \n\n";
        assert_eq!(event.to_text(), expected);
        assert_eq!(Event::new(String::new()).to_text(), "data: \n\n");
    }

    proptest! {
        /// As the specification reads it: a line ends with LF, CR or CRLF, an event with an empty line.
        #[test]
        fn no_data_ends_an_event_or_adds_a_field(data in "[a:\\r\\n ]{0,40}") {
            let text = Event::new(data.clone()).to_text();
            let text = text.strip_suffix("\n\n").unwrap();
            prop_assert!(!text.contains('\r'));
            let lines = text.split('\n').map(|line| line.strip_prefix("data: ").unwrap());
            let read = lines.collect::<Vec<_>>().join("\n");
            prop_assert_eq!(read, data.replace("\r\n", "\n").replace('\r', "\n"));
        }
    }

    #[tokio::test]
    async fn a_silent_stream_has_comments_and_ends_with_its_sender() {
        let (sender, events) = mpsc::channel(1);
        let stream = chunks(events, Duration::from_millis(1), Duration::from_secs(1));
        let mut stream = Box::pin(stream.map(|chunk| String::from_utf8(chunk.unwrap().to_vec())));
        assert_eq!(stream.next().await.unwrap().unwrap(), "retry: 1000\n\n");
        assert_eq!(stream.next().await.unwrap().unwrap(), ": keep-alive\n\n");
        sender.send(Event::new("1".to_owned())).await.unwrap();
        assert_eq!(stream.next().await.unwrap().unwrap(), "data: 1\n\n");
        drop(sender);
        assert_eq!(stream.next().await, None);
    }
}
