//! Time cut into hours or days, as the clocks of one place show them.
//!
//! An engine that counts per hour or day needs no time zones of its own: between two changes of the clocks local time is
//! UTC and a number, and a [`Grid`] holds these numbers.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::ids::InvalidId;
use crate::time::TimestampMs;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// How wide the pieces are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Width {
    /// Hours. Where the clocks are turned back, the hour that comes twice is two pieces.
    Hour,
    /// Days, from midnight to midnight: 23 to 25 hours.
    Day,
}

impl Width {
    const fn ms(self) -> i64 {
        match self {
            Self::Hour => HOUR_MS,
            Self::Day => DAY_MS,
        }
    }
}

/// From a moment on, so much is added to a time in UTC before it is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shift {
    /// From when on.
    pub from: TimestampMs,
    /// Milliseconds; for hours only what the zone's offset has beyond whole hours.
    pub ms: i64,
}

/// Time cut into pieces of one width.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    width: Width,
    /// By time; the first one also holds before its moment.
    shifts: Vec<Shift>,
}

/// One piece of a [`Grid`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// `2026-11-20`, or `2026-11-20T18:00` for an hour: its beginning, shifted. Unique in its grid.
    pub label: String,
    /// Its beginning.
    pub start: TimestampMs,
}

impl Grid {
    /// Days of UTC.
    pub fn utc_days() -> Self {
        Self {
            width: Width::Day,
            shifts: vec![Shift {
                from: TimestampMs(0),
                ms: 0,
            }],
        }
    }

    /// Pieces of a zone of the IANA database (`Europe/Berlin`), right for moments in `from <= at < to`.
    pub fn in_zone(width: Width, zone: &str, from: TimestampMs, to: TimestampMs) -> Result<Self, InvalidId> {
        let zone = TimeZone::get(zone).map_err(|_| InvalidId { what: "time zone" })?;
        let begin = Timestamp::from_millisecond(from.0).unwrap_or(Timestamp::UNIX_EPOCH);
        let ms = |seconds: i32| {
            let ms = i64::from(seconds) * 1_000;
            match width {
                Width::Hour => ms.rem_euclid(HOUR_MS),
                Width::Day => ms,
            }
        };
        let mut shifts = vec![Shift {
            from,
            ms: ms(zone.to_offset(begin).seconds()),
        }];
        for change in zone.following(begin) {
            let at = TimestampMs(change.timestamp().as_millisecond());
            if at >= to {
                break;
            }
            let ms = ms(change.offset().seconds());
            if shifts.last().is_none_or(|last| last.ms != ms) {
                shifts.push(Shift { from: at, ms });
            }
        }
        Ok(Self { width, shifts })
    }

    /// How wide the pieces are.
    pub const fn width(&self) -> Width {
        self.width
    }

    /// What is added to times; at least one.
    pub fn shifts(&self) -> &[Shift] {
        &self.shifts
    }

    /// Whether these are plain days of UTC.
    pub fn is_utc_days(&self) -> bool {
        self.width == Width::Day && self.shifts.iter().all(|shift| shift.ms == 0)
    }

    /// All pieces of which something lies in `from <= at < to`, in order.
    pub fn pieces(&self, from: TimestampMs, to: TimestampMs) -> Vec<Piece> {
        let (mut at, mut pieces) = (from.0, Vec::<Piece>::new());
        while at < to.0 {
            let index = self.shifts.partition_point(|shift| shift.from.0 <= at).max(1) - 1;
            let shift = self.shifts[index].ms;
            let start = (at + shift).div_euclid(self.width.ms()) * self.width.ms();
            let label = self.label(start);
            if pieces.last().is_none_or(|last| last.label != label) {
                pieces.push(Piece {
                    label,
                    start: TimestampMs(start - shift),
                });
            }
            let end = start + self.width.ms() - shift;
            let change = self.shifts.get(index + 1).map_or(i64::MAX, |next| next.from.0);
            at = end.min(change);
        }
        pieces
    }

    /// The label of the piece that begins at a shifted time.
    fn label(&self, shifted: i64) -> String {
        let text = TimestampMs(shifted).to_rfc3339();
        match self.width {
            Width::Hour => text.chars().take("2026-11-20T18:00".len()).collect(),
            Width::Day => text.chars().take("2026-11-20".len()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> TimestampMs {
        TimestampMs(text.parse::<Timestamp>().unwrap().as_millisecond())
    }

    fn pieces(width: Width, zone: &str, from: &str, to: &str) -> Vec<(String, TimestampMs)> {
        let (from, to) = (at(from), at(to));
        let grid = Grid::in_zone(width, zone, from, to).unwrap();
        let pieces = grid.pieces(from, to).into_iter();
        pieces.map(|piece| (piece.label, piece.start)).collect()
    }

    fn expected(list: &[(&str, &str)]) -> Vec<(String, TimestampMs)> {
        let piece = |(label, start): &(&str, &str)| ((*label).to_owned(), at(start));
        list.iter().map(piece).collect()
    }

    #[test]
    fn days_are_those_of_the_zone_also_where_the_clocks_change() {
        let days = pieces(
            Width::Day,
            "Europe/Berlin",
            "2026-10-24T22:00:00Z",
            "2026-10-27T00:00:00Z",
        );
        let days_of_berlin = [
            ("2026-10-25", "2026-10-24T22:00:00Z"),
            ("2026-10-26", "2026-10-25T23:00:00Z"),
            ("2026-10-27", "2026-10-26T23:00:00Z"),
        ];
        assert_eq!(days, expected(&days_of_berlin));
    }

    #[test]
    fn an_hour_that_comes_twice_is_two_pieces() {
        let hours = pieces(
            Width::Hour,
            "Europe/Berlin",
            "2026-10-25T00:30:00Z",
            "2026-10-25T02:10:00Z",
        );
        let hours_of_berlin = [
            ("2026-10-25T00:00", "2026-10-25T00:00:00Z"),
            ("2026-10-25T01:00", "2026-10-25T01:00:00Z"),
            ("2026-10-25T02:00", "2026-10-25T02:00:00Z"),
        ];
        assert_eq!(hours, expected(&hours_of_berlin));
        let hours = pieces(
            Width::Hour,
            "Asia/Kolkata",
            "2026-11-20T18:40:00Z",
            "2026-11-20T19:40:00Z",
        );
        let hours_of_delhi = [
            ("2026-11-20T19:00", "2026-11-20T18:30:00Z"),
            ("2026-11-20T20:00", "2026-11-20T19:30:00Z"),
        ];
        assert_eq!(hours, expected(&hours_of_delhi));
    }

    #[test]
    fn plain_days_are_told_from_others() {
        let (from, to) = (at("2026-01-01T00:00:00Z"), at("2026-12-31T00:00:00Z"));
        let days = |zone: &str| Grid::in_zone(Width::Day, zone, from, to).unwrap();
        assert!(days("UTC").is_utc_days());
        assert!(!days("Europe/London").is_utc_days());
        let hours = Grid::in_zone(Width::Hour, "UTC", from, to).unwrap();
        assert!(!hours.is_utc_days());
        assert!(Grid::in_zone(Width::Day, "Europe/Nowhere", from, to).is_err());
        assert_eq!(Grid::utc_days().pieces(from, from), []);
    }
}
