use proptest::prelude::*;
use serde_json::value::RawValue;

use super::*;
use crate::systems::billz2::wire;

fn page(count: u64, ids: &[&str]) -> ProductPage {
    let rows: Vec<_> = ids
        .iter()
        .map(|id| {
            let text = if id.is_empty() { "{}".to_owned() } else { format!(r#"{{"id":"{id}"}}"#) };
            RawValue::from_string(text).map(|raw| wire::product(&raw)).unwrap_or_else(|_| Ok(wire::Product::default()))
        })
        .collect();
    ProductPage { count, rows_seen: rows.len(), rows, date: DateTime::UNIX_EPOCH, asked_at: DateTime::UNIX_EPOCH }
}

/// Reads pages until told to end; what is left over was not asked for.
fn read(pages: &[ProductPage]) -> (ReadProof, usize) {
    let mut tally = Tally::default();
    let asked = 1 + pages.iter().take_while(|page| tally.take(page) == Next::Page).count();
    (tally.proof(DateTime::UNIX_EPOCH), asked)
}

#[test]
fn only_what_agrees_from_first_to_last_is_whole() {
    type Case = (&'static str, Vec<ProductPage>, usize, Option<&'static str>);
    let table: Vec<Case> = vec![
        ("two pages", vec![page(3, &["a", "b"]), page(3, &["c"])], 2, None),
        ("short pages (limit clamped)", vec![page(3, &["a"]), page(3, &["b"]), page(3, &["c"])], 3, None),
        ("nothing", vec![page(0, &[])], 1, None),
        ("a bad row without id", vec![page(2, &["a", ""])], 1, Some("Of 2 rows 1 came without a readable id: they could be any product.")),
        ("a double row", vec![page(2, &["a", "a"])], 1, Some("Billz announced 2 products, but 2 rows came with 1 different products.")),
        (
            "rows lost to an early end",
            vec![page(5, &["a", "b"]), page(5, &[])],
            2,
            Some("Billz announced 5 products, but 2 rows came with 2 different products."),
        ),
        ("empty though announced", vec![page(5, &[])], 1, Some("Billz announced 5 products, but 0 rows came with 0 different products.")),
        (
            "more than announced",
            vec![page(1, &["a", "b"])],
            1,
            Some("Billz announced 1 products, but 2 rows came with 2 different products."),
        ),
        (
            "moved",
            vec![page(3, &["a", "b"]), page(4, &["c", "d"])],
            2,
            Some("The catalogue moved while it was read: Billz announced 3 products at first and 4 at last, 4 different ones came."),
        ),
        (
            "moved there and back",
            vec![page(3, &["a"]), page(4, &["b"]), page(3, &["c"])],
            3,
            Some("The catalogue moved while it was read: Billz announced 3 products at first and last, but 4 in between."),
        ),
        (
            "shifted by a deletion: one came twice, one never",
            vec![page(4, &["a", "b"]), page(4, &["b", "c"])],
            2,
            Some("Billz announced 4 products, but 4 rows came with 3 different products."),
        ),
        (
            "the same page without end",
            (0..9).map(|_| page(99, &["a", "b"])).collect(),
            3,
            Some("Billz went on without end: 6 rows on 3 pages, 2 different products, 99 announced."),
        ),
    ];
    for (name, pages, asked, expected) in table {
        let (proof, seen) = read(&pages);
        assert_eq!((doubt(&proof).as_deref(), seen), (expected, asked), "{name}: {proof:?}");
    }
}

#[test]
fn ids_that_are_no_uuids_are_told_apart() {
    assert_ne!(fingerprint("17"), fingerprint("18"));
    assert_eq!(fingerprint("69E939AA-9b8f-46a9-b605-8b2675475b7b"), fingerprint("69e939aa-9b8f-46a9-b605-8b2675475b7b"));
}

proptest! {
    /// Whatever the remote serves: no doubt only if every announced product came exactly once.
    #[test]
    fn no_doubt_means_whole(pages in proptest::collection::vec((0u64..8, proptest::collection::vec(0u8..8, 0..4)), 1..8)) {
        let pages: Vec<_> = pages
            .iter()
            .map(|(count, ids)| {
                let ids: Vec<String> = ids.iter().map(|id| format!("p{id}")).collect();
                page(*count, &ids.iter().map(String::as_str).collect::<Vec<_>>())
            })
            .collect();
        let (proof, _) = read(&pages);
        let taken: Vec<_> = pages.iter().take(proof.pages as usize).collect();
        if doubt(&proof).is_none() {
            let mut ids: Vec<_> = taken.iter().flat_map(|page| &page.rows).flatten().map(|row| row.id.clone()).collect();
            ids.sort();
            let rows = ids.len() as u64;
            ids.dedup();
            prop_assert_eq!(ids.len() as u64, rows);
            prop_assert!(taken.first().is_some_and(|page| page.count == rows) && taken.last().is_some_and(|page| page.count == rows));
        }
    }

    /// A quiet catalogue is whole however the remote cuts its pages.
    #[test]
    fn a_quiet_catalogue_is_never_doubted(total in 0usize..200, cut in 1usize..50) {
        let ids: Vec<String> = (0..total).map(|id| format!("p{id}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let mut pages: Vec<_> = ids.chunks(cut).map(|ids| page(total as u64, ids)).collect();
        pages.push(page(total as u64, &[]));
        let (proof, asked) = read(&pages);
        prop_assert_eq!(doubt(&proof), None);
        prop_assert_eq!(asked, total.div_ceil(cut).max(1));
    }
}
