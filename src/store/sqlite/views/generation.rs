//! A new generation of the views, which a replay fills in a file of its own, and its swap with the one in use.
//!
//! A process that is killed in between leaves either the old views in use and files that the next start
//! removes, or the new ones; see docs/WALKTHROUGHS.md.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::domain::Rule;
use crate::domain::message::tags::IndexedTags;
use crate::store::sqlite::files::connect;
use crate::store::sqlite::files::lock::Lock;
use crate::store::sqlite::views::fresh::FreshViews;
use crate::store::sqlite::views::link::{remove_database, remove_replaced};
use crate::store::sqlite::views::live::{LiveViews, ViewsAccess};
use crate::store::sqlite::views::views_impl::Transactions;
use crate::store::{NewGeneration, StoreError, Views};

/// New views, and the right to put them in use.
pub struct SqliteGeneration<'s> {
    in_use: &'s LiveViews,
    views: FreshViews,
    path: PathBuf,
    /// Whether the link may lead to them.
    is_in_use: AtomicBool,
    _lock: Lock,
}

impl<'s> SqliteGeneration<'s> {
    /// Empty views of a new generation.
    pub fn begin(in_use: &'s LiveViews, rule: Rule) -> Result<Self, StoreError> {
        if in_use.access() == ViewsAccess::Read {
            return Err(StoreError::ReadOnly("the views cannot be rebuilt"));
        }
        let lock = in_use.link().lock()?;
        in_use.link().remove_leftovers();
        let path = in_use.link().new_file();
        let so_far = || in_use.checkpoint().ok().map(|checkpoint| checkpoint.indexed_tags);
        let indexed = in_use.indexed_tags().or_else(so_far).unwrap_or(IndexedTags::All);
        let views = FreshViews::in_file(&path, in_use.ledger_id(), indexed)?;
        let is_in_use = AtomicBool::new(false);
        let generation = Self { in_use, views, path, is_in_use, _lock: lock };
        generation.views.set_temp_folder(&connect::folder_of(&generation.path))?;
        generation.views.reset(rule)?;
        Ok(generation)
    }
}

impl NewGeneration for SqliteGeneration<'_> {
    fn views(&self) -> &dyn Views {
        &self.views
    }

    fn reader(&self) -> Result<Box<dyn Views>, StoreError> {
        self.views.commit()?;
        Ok(Box::new(self.views.reader(&self.path)?))
    }

    fn build_indexes(&self) -> Result<(), StoreError> {
        self.views.build_indexes()
    }

    fn swap_in(&self) -> Result<bool, StoreError> {
        // File and name have to be on disk completely before the link leads to them.
        self.views.finish(&self.path)?;
        connect::sync_folder_of(&self.path)?;
        let reached = self.views.checkpoint()?.position;
        // While this transaction lasts nobody can commit to the old views; later they see the new link.
        let replaced = self.in_use.write("put the rebuilt views in use", |tables| {
            // Views without a readable checkpoint are not worth keeping.
            if tables.checkpoint().is_ok_and(|in_use| in_use.position > reached) {
                return Ok(None);
            }
            let replaced = self.in_use.link().file();
            self.is_in_use.store(true, Ordering::Relaxed);
            self.in_use.link().point_to(&self.path)?;
            Ok(Some(replaced))
        })?;
        let Some(replaced) = replaced else { return Ok(false) };
        if let Err(error) = remove_replaced(&replaced, self.in_use.link()) {
            tracing::warn!(%error, "the views are rebuilt; the old ones are removed at the next start");
        }
        Ok(true)
    }
}

impl Drop for SqliteGeneration<'_> {
    fn drop(&mut self) {
        if !self.is_in_use.load(Ordering::Relaxed)
            && let Err(error) = remove_database(&self.path)
        {
            tracing::warn!(%error, "unfinished views are removed at the next start");
        }
    }
}
