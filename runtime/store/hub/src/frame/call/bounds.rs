//! The bounds of a page, as numbers for the wire.

use bytes::Bytes;
use throughline_store::Scan;
use throughline_store::limits::{PAGE_BYTES_MAX, PAGE_ENTRIES_MAX};

/// At most so many entries, and so many bytes. A scan does not tell its bounds, but the page that
/// it makes does, by what it has room for.
pub(super) fn of(scan: &Scan) -> (u32, u32) {
    let mut page = scan.page();
    page.push(Bytes::new(), Bytes::new());
    if !page.has_room(0) {
        // The first entry is taken whatever its size, so the bytes bound nothing.
        return (1, 0);
    }
    let bytes_max = largest(PAGE_BYTES_MAX, |bytes| page.has_room(bytes));
    let mut entries_max = 1;
    while entries_max < PAGE_ENTRIES_MAX && page.push(Bytes::new(), Bytes::new()) {
        entries_max += 1;
    }
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    (number(entries_max), number(bytes_max))
}

/// The largest number up to `max` that fits; 0 does.
fn largest(max: usize, fits: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, max);
    while low < high {
        let middle = (low + high).div_ceil(2);
        if fits(middle) { low = middle } else { high = middle - 1 }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_are_those_that_were_set() {
        assert_eq!(of(&Scan::all()), (PAGE_ENTRIES_MAX as u32, PAGE_BYTES_MAX as u32));
        assert_eq!(of(&Scan::all().entries_max(7).bytes_max(1000)), (7, 1000));
        assert_eq!(of(&Scan::all().entries_max(2).bytes_max(0)), (2, 0));
        assert_eq!(of(&Scan::all().entries_max(1)), (1, 0));
        assert_eq!(of(&Scan::prefix("x").bytes_max(1)), (PAGE_ENTRIES_MAX as u32, 1));
    }
}
