//! Who takes part when a limit or the number of villages binds. Pure.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::{Entry, Policy, Progress};

/// The entries of a tier that take part, by household id.
pub(super) fn choose(policy: Policy, entries: Vec<Entry>, progress: &Progress) -> Vec<Entry> {
    let mut chosen = if policy == Policy::FewestPickups {
        let near = within_limits(policy, in_fewest_villages(&entries, progress), progress);
        // When the limits leave too little in those villages, look at all of them.
        if filled(&near) < progress.left { within_limits(policy, entries, progress) } else { near }
    } else {
        within_limits(policy, entries, progress)
    };
    chosen.sort_unstable_by_key(|entry| entry.household);
    chosen
}

fn filled(entries: &[Entry]) -> i64 {
    entries.iter().fold(0_i64, |total, entry| total.saturating_add(entry.available))
}

/// Keeps those that already take part in an earlier tier, and of the others as many as slots and minimum shares allow.
fn within_limits(policy: Policy, entries: Vec<Entry>, progress: &Progress) -> Vec<Entry> {
    if !progress.looks_back {
        return entries;
    }
    let (mut kept, mut fresh): (Vec<Entry>, Vec<Entry>) =
        entries.into_iter().partition(|entry| entry.takes_part);
    let owed: i64 = kept.iter().fold(0, |total, entry| total.saturating_add(entry.least));
    let least = fresh.iter().map(|entry| entry.least).max().unwrap_or(0);
    let room = progress.left.saturating_sub(owed).max(0);
    let affordable =
        room.checked_div(least).map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
    let most = progress.slots.min(affordable);
    if fresh.len() > most {
        fresh = prefer(policy, fresh, most, progress.left.saturating_sub(filled(&kept)));
    }
    kept.append(&mut fresh);
    kept
}

/// The `most` entries that take part: the largest, so that the demand is filled if it can be. For `income_levelling` the
/// poorest are then exchanged in, one by one, as long as what is needed can still be filled.
fn prefer(policy: Policy, mut entries: Vec<Entry>, most: usize, needed: i64) -> Vec<Entry> {
    entries.sort_unstable_by_key(|entry| (Reverse(entry.available), entry.household));
    let mut others = entries.split_off(most.min(entries.len()));
    if policy != Policy::IncomeLevelling || entries.is_empty() {
        return entries;
    }
    let mut spare = filled(&entries).saturating_sub(needed).max(0);
    others.sort_unstable_by_key(|entry| (entry.income_fen, entry.household));
    entries.sort_unstable_by_key(|entry| (Reverse(entry.income_fen), entry.household));
    let mut richest = entries.iter_mut();
    let Some(mut leaves) = richest.next() else { return Vec::new() };
    for poor in others {
        let loss = leaves.available.saturating_sub(poor.available);
        if poor.income_fen < leaves.income_fen && loss <= spare {
            spare = spare.saturating_sub(loss);
            *leaves = poor;
            match richest.next() {
                Some(next) => leaves = next,
                None => break,
            }
        }
    }
    entries
}

/// The entries of as few villages as can fill what is left: those already visited cost nothing, then the ones that have
/// most; the last is the smallest that suffices.
fn in_fewest_villages(entries: &[Entry], progress: &Progress) -> Vec<Entry> {
    let mut stock: HashMap<u64, i64> = HashMap::new();
    for entry in entries {
        let total = stock.entry(entry.village).or_insert(0);
        *total = total.saturating_add(entry.available);
    }
    let is_visited = |village: &u64| progress.villages.contains(village);
    let (visited, mut open): (Vec<(u64, i64)>, Vec<(u64, i64)>) =
        stock.into_iter().partition(|(village, _)| is_visited(village));
    let mut left = visited.iter().fold(progress.left, |left, (_, has)| left.saturating_sub(*has));
    let mut villages: Vec<u64> = visited.into_iter().map(|(village, _)| village).collect();
    open.sort_unstable_by_key(|&(village, has)| (Reverse(has), village));
    for (position, &(village, has)) in open.iter().enumerate() {
        if left <= 0 {
            break;
        }
        let sufficing = open.partition_point(|(_, has)| *has >= left);
        if let Some(&(last, _)) =
            sufficing.checked_sub(1).filter(|&last| last >= position).and_then(|last| open.get(last))
        {
            villages.push(last);
            break;
        }
        villages.push(village);
        left = left.saturating_sub(has);
    }
    villages.sort_unstable();
    entries.iter().filter(|entry| villages.binary_search(&entry.village).is_ok()).copied().collect()
}
