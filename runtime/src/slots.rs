//! A bounded number of places, shared fairly between bots.
//!
//! One bot may hold a share of the places (25 % by default); it may hold more while more than half of all places are
//! idle. So a bot that floods or is slow fills what nobody else needs, and never what somebody else waits for.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use botloom_core::ids::BotId;
use tokio::sync::{Notify, oneshot};

/// Bots looked at for one freed place; bounds the work of giving a place back.
const LOOKED_AT: usize = 64;

/// The places. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Slots(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    total: usize,
    per_bot: usize,
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct State {
    used: usize,
    by_bot: HashMap<BotId, usize>,
    waiting: HashMap<BotId, VecDeque<oneshot::Sender<Slot>>>,
    /// Bots of `waiting`, each once, next one first.
    ring: VecDeque<BotId>,
}

/// A place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    shared: Arc<Shared>,
    bot: Option<BotId>,
}

impl Slots {
    /// `total` places, of which one bot holds at most `per_bot` while the rest are needed.
    pub(crate) fn new(total: usize, per_bot: usize) -> Self {
        let shared = Shared {
            total: total.max(1),
            per_bot: per_bot.max(1),
            state: Mutex::default(),
            freed: Notify::new(),
        };
        Self(Arc::new(shared))
    }

    /// A place, if one is free for this bot now, without regard to who waits in [`Self::take`].
    pub(crate) fn try_take(&self, bot: &BotId) -> Option<Slot> {
        let mut state = self.0.lock();
        if !self.0.has_room(&state, bot) {
            return None;
        }
        Some(self.0.take(&mut state, bot))
    }

    /// A place, after those who came before; bots take turns.
    pub(crate) async fn take(&self, bot: &BotId) -> Slot {
        let receiver = {
            let mut state = self.0.lock();
            if self.0.has_room(&state, bot) {
                return self.0.take(&mut state, bot);
            }
            let (sender, receiver) = oneshot::channel();
            match state.waiting.entry(bot.clone()) {
                Entry::Occupied(mut queue) => queue.get_mut().push_back(sender),
                Entry::Vacant(queue) => {
                    queue.insert(VecDeque::from([sender]));
                    state.ring.push_back(bot.clone());
                }
            }
            receiver
        };
        receiver
            .await
            .expect("a sender leaves the queue only by sending; self keeps the queue")
    }

    /// Places that nobody holds.
    pub(crate) fn free(&self) -> usize {
        self.0.total - self.0.lock().used
    }

    /// Resolves when a place was given back since the last call.
    pub(crate) async fn freed(&self) {
        self.0.freed.notified().await;
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change below is complete before anything can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_room(&self, state: &State, bot: &BotId) -> bool {
        let held = state.by_bot.get(bot).copied().unwrap_or(0);
        state.used < self.total && (held < self.per_bot || state.used * 2 < self.total)
    }

    fn take(self: &Arc<Self>, state: &mut State, bot: &BotId) -> Slot {
        state.used += 1;
        match state.by_bot.get_mut(bot) {
            Some(held) => *held += 1,
            None => {
                state.by_bot.insert(bot.clone(), 1);
            }
        }
        Slot {
            shared: Arc::clone(self),
            bot: Some(bot.clone()),
        }
    }

    fn give_back(self: &Arc<Self>, bot: &BotId) {
        let mut refused = Vec::new();
        {
            let mut state = self.lock();
            state.used -= 1;
            if let Some(held) = state.by_bot.get_mut(bot) {
                *held -= 1;
                if *held == 0 {
                    state.by_bot.remove(bot);
                }
            }
            self.serve(&mut state, &mut refused);
        }
        for mut slot in refused {
            // The one who waited is gone; its place goes back by the same way, now without the lock.
            if let Some(bot) = slot.bot.take() {
                self.give_back(&bot);
            }
        }
        self.freed.notify_one();
    }

    fn serve(self: &Arc<Self>, state: &mut State, refused: &mut Vec<Slot>) {
        for _ in 0..state.ring.len().min(LOOKED_AT) {
            if state.used >= self.total {
                return;
            }
            let Some(bot) = state.ring.pop_front() else { return };
            if !self.has_room(state, &bot) {
                state.ring.push_back(bot);
                continue;
            }
            let waiting = state.waiting.get_mut(&bot);
            let next = waiting.and_then(|queue| queue.pop_front().map(|sender| (sender, queue.is_empty())));
            match next {
                Some((_, true)) | None => {
                    state.waiting.remove(&bot);
                }
                Some((_, false)) => state.ring.push_back(bot.clone()),
            }
            if let Some((sender, _)) = next {
                let slot = self.take(state, &bot);
                refused.extend(sender.send(slot).err());
            }
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(bot) = self.bot.take() {
            self.shared.give_back(&bot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bot(name: &str) -> BotId {
        BotId::new(name).unwrap()
    }

    #[test]
    fn a_bot_gets_more_than_its_share_only_while_half_is_idle() {
        let slots = Slots::new(8, 2);
        let (flood, other) = (bot("flood"), bot("other"));
        let mut held: Vec<_> = (0..4).map(|_| slots.try_take(&flood).unwrap()).collect();
        assert!(slots.try_take(&flood).is_none(), "half is in use, the share is 2");
        held.extend((0..2).map(|_| slots.try_take(&other).unwrap()));
        assert!(slots.try_take(&other).is_none());
        held.truncate(3);
        assert!(slots.try_take(&flood).is_some(), "more than half is idle again");
        drop(held);
        assert_eq!(slots.free(), 8);
        assert!(slots.0.lock().by_bot.is_empty());
    }

    #[tokio::test]
    async fn freed_places_go_round_the_bots() {
        let slots = Slots::new(1, 1);
        let first = slots.take(&bot("first")).await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for name in ["flood", "flood", "flood", "light"] {
            let (slots, order) = (slots.clone(), Arc::clone(&order));
            tasks.push(tokio::spawn(async move {
                let slot = slots.take(&bot(name)).await;
                order.lock().unwrap().push(name);
                drop(slot);
            }));
            tokio::task::yield_now().await;
        }
        drop(first);
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), ["flood", "light", "flood", "flood"]);
        assert_eq!(slots.free(), 1);
    }

    #[tokio::test]
    async fn a_place_for_one_who_left_goes_to_the_next() {
        let slots = Slots::new(1, 1);
        let held = slots.take(&bot("aaa")).await;
        let gone = tokio::spawn({
            let slots = slots.clone();
            async move { slots.take(&bot("bbb")).await }
        });
        tokio::task::yield_now().await;
        gone.abort();
        let _ = gone.await;
        let waiting = tokio::spawn({
            let slots = slots.clone();
            async move { slots.take(&bot("ccc")).await }
        });
        tokio::task::yield_now().await;
        drop(held);
        drop(waiting.await.unwrap());
        assert_eq!(slots.free(), 1);
    }
}
