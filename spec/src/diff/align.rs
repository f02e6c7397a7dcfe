//! Which entries of two lists are the same.

use serde_json::Value;

/// Comparing lists entry by entry takes time and memory in the product of their lengths.
const ALIGNED_CELLS: usize = 250_000;

/// What becomes of an entry on the way from one list to the other.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// It stays: its places in both lists.
    Keep(usize, usize),
    /// Only the first list has it, here.
    Remove(usize),
    /// Only the second list has it, here.
    Add(usize),
}

/// What an entry of a list is known by.
pub(super) fn identity(entry: &Value) -> Option<&str> {
    ["id", "command"]
        .into_iter()
        .find_map(|name| entry.get(name)?.as_str())
}

fn same(a: &Value, b: &Value) -> bool {
    match (identity(a), identity(b)) {
        (Some(a), Some(b)) => a == b,
        (None, None) => a == b,
        _ => false,
    }
}

/// Matches two lists: what they have in common at both ends, and between the ends their longest common subsequence.
pub(super) fn align(from: &[Value], to: &[Value]) -> Vec<Step> {
    let head = from.iter().zip(to).take_while(|(a, b)| same(a, b)).count();
    let tail = from[head..]
        .iter()
        .rev()
        .zip(to[head..].iter().rev())
        .take_while(|(a, b)| same(a, b))
        .count();
    let (a, b) = (&from[head..from.len() - tail], &to[head..to.len() - tail]);
    let mut steps: Vec<Step> = (0..head).map(|index| Step::Keep(index, index)).collect();
    if a.len().saturating_mul(b.len()) > ALIGNED_CELLS {
        let common = a.len().min(b.len());
        steps.extend((0..common).map(|index| Step::Keep(head + index, head + index)));
        steps.extend((common..a.len()).map(|index| Step::Remove(head + index)));
        steps.extend((common..b.len()).map(|index| Step::Add(head + index)));
    } else {
        let width = b.len() + 1;
        let mut longest = vec![0_usize; (a.len() + 1) * width];
        for i in (0..a.len()).rev() {
            for j in (0..b.len()).rev() {
                longest[i * width + j] = if same(&a[i], &b[j]) {
                    longest[(i + 1) * width + j + 1] + 1
                } else {
                    longest[(i + 1) * width + j].max(longest[i * width + j + 1])
                };
            }
        }
        let (mut i, mut j) = (0, 0);
        while i < a.len() || j < b.len() {
            if i < a.len() && j < b.len() && same(&a[i], &b[j]) {
                steps.push(Step::Keep(head + i, head + j));
                (i, j) = (i + 1, j + 1);
            } else if j == b.len()
                || (i < a.len() && longest[(i + 1) * width + j] >= longest[i * width + j + 1])
            {
                steps.push(Step::Remove(head + i));
                i += 1;
            } else {
                steps.push(Step::Add(head + j));
                j += 1;
            }
        }
    }
    steps.extend(
        (0..tail)
            .rev()
            .map(|back| Step::Keep(from.len() - 1 - back, to.len() - 1 - back)),
    );
    steps
}
