//! Messages of views in order, read and decoded on a thread of its own ahead of their use.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::Scope;

use crate::store::{Checkpoint, Message, StoreError, Views};

/// How many messages are read into memory at a time.
pub const PAGE_MESSAGES: usize = 1000;

/// A page, with the checkpoint that it was read at.
type Page = Result<(Checkpoint, Vec<Message>), StoreError>;

/// The pages of one set of views. The thread ends when this is dropped.
pub struct PagesAhead<'v> {
    views: &'v dyn Views,
    /// Where each page begins, and the page; `None` once another one was asked for.
    ahead: Option<Receiver<(u64, Page)>>,
}

impl<'v> PagesAhead<'v> {
    /// Begins with the first page.
    pub fn begin<'scope>(scope: &'scope Scope<'scope, '_>, views: &'v dyn Views) -> Self
    where
        'v: 'scope,
    {
        let (read, ahead) = sync_channel(1);
        scope.spawn(move || {
            for after in (0..).step_by(PAGE_MESSAGES) {
                let page = views.page(after, PAGE_MESSAGES);
                let is_last = page.as_ref().map_or(true, |(_, messages)| messages.is_empty());
                if read.send((after, page)).is_err() || is_last {
                    return;
                }
            }
        });
        Self { views, ahead: Some(ahead) }
    }

    /// The messages after an id, at most [`PAGE_MESSAGES`]. Ids have to rise from 0 on. Each page is read after the
    /// one before it, but while pages are full, perhaps earlier than this is called.
    pub fn after(&mut self, after: u64) -> Page {
        match self.ahead.as_ref().and_then(|ahead| ahead.recv().ok()) {
            Some((begins, page)) if begins == after => page,
            _ => {
                self.ahead = None;
                self.views.page(after, PAGE_MESSAGES)
            }
        }
    }
}
