//! Which shard a lane lives on, and how keys are called.
//!
//! On one server a key has its plain name (`q:in:<bot>:<chat>`). On a cluster the hash tag of its shard follows, so that
//! all keys of a shard lie in one slot and patterns by prefix still match. The tag of shard `i` of `S` is `{s<x>}` with
//! the smallest `x` that falls on slot `i × 16384 / S`: any even split of the slots is an even split of the shards.

use std::sync::Arc;

use botloom_core::{BotId, ChatId};

/// Slots of a Redis Cluster.
const SLOTS: u16 = 16_384;
/// Most shards that a bot can be spread over.
pub(crate) const MAX_SPREAD: u16 = 8;

/// Names of an installation's keys.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    shards: u16,
    /// Hash tags by shard; empty on one server.
    tags: Arc<[Box<str>]>,
}

impl Names {
    /// `shards` is a power of two, at most the number of slots.
    pub(super) fn new(shards: u16, cluster: bool) -> Self {
        let tags = if cluster { tags(shards) } else { Arc::from([]) };
        Self { shards, tags }
    }

    /// How many shards there are.
    pub(crate) const fn shards(&self) -> u16 {
        self.shards
    }

    /// The key's name on the server.
    pub(crate) fn phys(&self, name: &str, shard: u16) -> String {
        match self.tags.get(usize::from(shard)) {
            // An opening brace inside the name would be taken for the tag.
            Some(tag) if name.contains(['{', '%']) => {
                format!("{}{tag}", name.replace('%', "%25").replace('{', "%7B"))
            }
            Some(tag) => format!("{name}{tag}"),
            None => name.to_owned(),
        }
    }

    /// The name without the tag: the inverse of [`Self::phys`] for a name that may stand on any shard.
    pub(crate) fn logical(&self, key: &str) -> String {
        match key.rfind('{') {
            Some(tag) if !self.tags.is_empty() => key[..tag].replace("%7B", "{").replace("%25", "%"),
            _ => key.to_owned(),
        }
    }

    /// A key of the shard itself: `rz:<i>`.
    pub(crate) fn of_shard(&self, name: &str, shard: u16) -> String {
        self.phys(&format!("{name}:{shard}"), shard)
    }

    /// The shard of a lane of a bot that is spread over `spread` shards.
    pub(crate) fn shard(&self, bot: &BotId, chat: &ChatId, spread: u16) -> u16 {
        let spread = spread.clamp(1, MAX_SPREAD.min(self.shards));
        let offset = if spread == 1 {
            0
        } else {
            hash(chat.as_str()) % u64::from(spread)
        };
        self.nth(bot, offset)
    }

    /// All shards of a bot.
    pub(crate) fn shards_of(&self, bot: &BotId, spread: u16) -> impl Iterator<Item = u16> + use<> {
        let spread = spread.clamp(1, MAX_SPREAD.min(self.shards));
        let first = self.nth(bot, 0);
        let shards = self.shards;
        (0..spread).map(move |offset| (first + offset) % shards)
    }

    fn nth(&self, bot: &BotId, offset: u64) -> u16 {
        // The remainder is below `shards`, which is a `u16`.
        #[expect(clippy::cast_possible_truncation, reason = "see above")]
        let shard = ((hash(bot.as_str()) % u64::from(self.shards) + offset) % u64::from(self.shards)) as u16;
        shard
    }
}

/// FNV-1a with the finalizer of SplitMix64: the same on every machine and for ever, and even in its low bits.
pub(super) fn hash(text: &str) -> u64 {
    let mut hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// CRC16 of the cluster's slots (XMODEM: polynomial 0x1021, from 0).
fn crc16(text: &str) -> u16 {
    text.bytes().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 {
                crc << 1
            } else {
                (crc << 1) ^ 0x1021
            }
        })
    })
}

fn tags(shards: u16) -> Arc<[Box<str>]> {
    let width = SLOTS / shards;
    let mut tags: Vec<Option<Box<str>>> = vec![None; usize::from(shards)];
    let mut missing = tags.len();
    for x in 0_u32.. {
        let slot = crc16(&format!("s{x}")) % SLOTS;
        let place = &mut tags[usize::from(slot / width)];
        if slot.is_multiple_of(width) && place.is_none() {
            *place = Some(format!("{{s{x}}}").into());
            missing -= 1;
            if missing == 0 {
                break;
            }
        }
    }
    tags.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use redis::cluster_routing::Slot;

    use super::*;

    fn is_on(key: &str, shard: usize) -> bool {
        Slot::new(u16::try_from(shard * 16).unwrap()) == Some(Slot::for_key(key))
    }

    #[test]
    fn tags_are_the_smallest_of_evenly_spaced_slots() {
        let tags = tags(1024);
        assert_eq!(tags.len(), 1024);
        for (shard, tag) in tags.iter().enumerate() {
            assert!(is_on(tag, shard), "{tag} is not on slot {}", shard * 16);
        }
        let largest = tags
            .iter()
            .map(|tag| tag[2..tag.len() - 1].parse::<u32>().unwrap())
            .max();
        assert_eq!(largest, Some(141_591));
    }

    #[test]
    fn keys_of_a_shard_share_a_slot_and_keep_their_plain_prefix() {
        let (plain, cluster) = (Names::new(1024, false), Names::new(1024, true));
        for shard in [0, 7, 1023] {
            let key = cluster.phys("q:in:pizza:42", shard);
            assert!(is_on(&key, shard.into()));
            assert!(is_on(&cluster.of_shard("rz", shard), shard.into()));
            assert!(key.starts_with("q:in:pizza:42{"));
            let odd = cluster.phys("q:in:pizza:{x}%7B", shard);
            assert!(is_on(&odd, shard.into()));
            for (key, name) in [(key, "q:in:pizza:42"), (odd, "q:in:pizza:{x}%7B")] {
                assert_eq!(cluster.logical(&key), name);
            }
        }
        assert_eq!(plain.phys("q:in:pizza:42", 9), "q:in:pizza:42");
        assert_eq!(plain.of_shard("rz", 9), "rz:9");
    }

    #[test]
    fn a_bot_lives_on_one_shard_or_on_as_many_as_it_is_spread_over() {
        let names = Names::new(1024, false);
        let bot = BotId::new("pizza-demo").unwrap();
        let chats = || (0..500).map(ChatId::from);
        let home: Vec<u16> = names.shards_of(&bot, 1).collect();
        assert!(chats().all(|chat| names.shard(&bot, &chat, 1) == home[0]));
        let mut used: Vec<u16> = chats().map(|chat| names.shard(&bot, &chat, 4)).collect();
        used.sort_unstable();
        used.dedup();
        let mut spread: Vec<u16> = names.shards_of(&bot, 4).collect();
        spread.sort_unstable();
        assert_eq!(used, spread);
    }

    #[test]
    fn shards_never_change() {
        // Lanes would be looked for in another place.
        let names = Names::new(1024, false);
        let shard = |bot: &str| names.shards_of(&BotId::new(bot).unwrap(), 1).next();
        let found: Vec<_> = ["abc", "pizza-demo", "shop"].into_iter().map(shard).collect();
        assert_eq!(found, [Some(264), Some(738), Some(358)]);
    }
}
