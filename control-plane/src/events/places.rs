//! How many event streams a user has open.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use botloom_core::ids::UserId;

/// Event streams that are open, by user.
#[derive(Debug)]
pub(crate) struct Streams {
    limit: u32,
    open: Arc<Mutex<HashMap<UserId, u32>>>,
}

/// One of a user's streams, until dropped.
#[derive(Debug)]
pub(crate) struct Place {
    user: UserId,
    open: Arc<Mutex<HashMap<UserId, u32>>>,
}

impl Streams {
    pub(crate) fn new(limit: u32) -> Self {
        Self {
            limit,
            open: Arc::default(),
        }
    }

    /// A place for one more stream of the user, if there is one.
    pub(crate) fn enter(&self, user: UserId) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(user).or_default();
        if *count >= self.limit {
            return None;
        }
        *count += 1;
        Some(Place {
            user,
            open: self.open.clone(),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.user);
            }
        }
    }
}
