use std::collections::BTreeSet;

use super::*;

const CODES: &[(&str, &[&str])] = &[
    ("new_product", &[]),
    ("changed", &[]),
    ("no_price", &["shop"]),
    ("link_proposed", &["candidate"]),
    ("link_ambiguous", &["candidates"]),
    ("link_auto", &["matched"]),
    ("category_unmapped", &[]),
    ("service", &[]),
    ("bundle", &[]),
    ("variative_parent", &[]),
    ("price_below_minimum", &["min", "price"]),
    ("new_products_off", &[]),
    ("new_without_stock_off", &[]),
    ("target_deleted", &[]),
    ("target_replaced", &[]),
    ("foreign_owner", &[]),
    ("unreadable", &["field", "value"]),
    ("currency_without_rate", &["currency", "shop_currency"]),
    ("price_unreadable", &["shop", "value"]),
    ("discount_unusable", &["discount", "price", "shop"]),
    ("stock_unreadable", &["shop", "value"]),
    ("target_changed", &["now"]),
    ("superseded", &[]),
    ("not_in_shop", &[]),
    ("stock_sum", &["shops", "value"]),
    ("stock_sum_limited", &["buffer", "cap", "shops", "value"]),
    ("stock_selected", &["shop", "value"]),
    ("stock_selected_limited", &["buffer", "cap", "shop", "value"]),
    ("price_of_shop", &["shop", "unrounded"]),
    ("price_of_company", &["shop", "unrounded"]),
    ("price_converted", &["currency", "rate", "shop", "unrounded"]),
    ("promo", &["name", "unrounded"]),
    ("discount", &["amount", "price", "unrounded"]),
    ("promo_ended", &[]),
    ("special_removed_price_changed", &[]),
    ("site_sales_kept", &["billz", "sold", "value"]),
    ("site_sales_net", &["billz", "sold", "value"]),
    ("site_returns_kept", &["billz", "sold", "value"]),
    ("site_sales_counted", &["billz", "sold"]),
    ("vanished", &[]),
    ("vanished_left", &[]),
    ("vanished_waiting", &["delay", "since"]),
    ("vanished_zero", &["since"]),
    ("vanished_disabled", &["since"]),
    ("vanished_returned", &[]),
    ("recreated", &[]),
    ("target_deleted_twin", &["candidates"]),
    ("discount_ended", &[]),
    ("from_source", &[]),
    ("new_hidden", &[]),
    ("new_live", &[]),
    ("default_category", &[]),
    ("category_mapped", &["category", "target"]),
    ("default_category_missing", &["category"]),
    ("locked", &["note"]),
    ("kept_beside", &["value", "special"]),
    ("attribute_group", &["group"]),
    ("variant_option", &["option"]),
    ("special_not_for_options", &["special"]),
    ("model_from_source", &[]),
    ("stock_rounded_down", &["value"]),
    ("stock_negative", &["value"]),
    ("remote_failed", &[]),
    ("target_changed_since", &["now"]),
    ("brake_source_shrunk", &["count", "limit", "of", "percent"]),
    ("brake_products_zeroed", &["count", "limit", "of", "percent"]),
    ("brake_currency_changed", &["count"]),
    ("brake_price_jump", &["count", "factor"]),
    ("brake_prices_moved", &["by", "count", "limit", "of", "percent"]),
    ("brake_new_products", &["count", "from", "limit", "of"]),
    ("brake_unreadable_pictures", &["count", "limit", "of", "percent"]),
    ("brake_new_orders", &["count", "from"]),
    ("brake_one_phone", &["count", "from"]),
    ("rejected", &[]),
    ("plan_expired", &[]),
    ("undone", &["run"]),
    ("undone_by_hiding", &["run"]),
    ("undone_by_emptying", &["run"]),
    ("already_undone", &[]),
    ("changed_since", &["now"]),
    ("undo_never", &["why"]),
    ("left_as_undone", &["fields", "run"]),
    ("changed_but_undone", &["fields", "run"]),
    ("unchanged", &[]),
    ("explain_seen", &["at"]),
    ("explain_gone", &["since"]),
    ("explain_never_seen", &[]),
    ("explain_linked", &["target"]),
    ("explain_not_linked", &[]),
    ("explain_unreachable", &[]),
    ("explain_hidden", &[]),
    ("explain_somebody_else", &["fields"]),
    ("explain_disabled", &[]),
    ("explain_waits", &["attempts", "since"]),
    ("explain_held", &["run"]),
    ("pictures_of_source", &[]),
    ("pictures_off", &[]),
    ("picture_address", &["address"]),
    ("picture_host_refused", &["address", "host"]),
    ("picture_missing", &["address", "status"]),
    ("picture_unavailable", &["address", "detail"]),
    ("picture_too_large", &["address", "most"]),
    ("picture_type", &["address", "type"]),
    ("picture_too_many_pixels", &["address", "most", "size"]),
    ("picture_unreadable", &["address", "detail"]),
    ("picture_not_stored", &["address", "detail"]),
    ("retry_waits", &["at", "attempts"]),
    ("retry_dismissed", &[]),
    ("standing_ended", &[]),
    ("queue_moment", &[]),
    ("queue_connection", &[]),
    ("queue_connection_full", &[]),
    ("queue_system_full", &[]),
    ("queue_place", &[]),
    ("kaktus_stock", &["value", "warehouses"]),
    ("kaktus_stock_limited", &["buffer", "cap", "value", "warehouses"]),
    ("kaktus_doubled", &["insales", "kaktus"]),
    ("kaktus_inactive", &[]),
    ("kaktus_without_stock", &["field"]),
    ("kaktus_other_warehouses", &["warehouses"]),
    ("kaktus_stock_unreadable", &["value", "warehouse"]),
    ("kaktus_missing_left", &[]),
    ("kaktus_missing_zero", &[]),
    ("not_in_insales", &[]),
    ("insales_doubled", &["insales", "kaktus"]),
    ("insales_variant_gone", &["variant"]),
    ("insales_barcode_moved", &["barcode", "variant"]),
    ("insales_bundle", &[]),
    ("insales_unlimited", &[]),
    ("insales_quantity_unreadable", &["value"]),
    ("insales_queued", &["tries", "value"]),
    ("insales_sent", &["tries"]),
    ("insales_sent_alone", &["tries"]),
    ("new_client", &[]),
    ("new_ticket", &[]),
    ("ticket_found", &[]),
    ("ticket_changed_not_sent", &[]),
    ("status_told", &[]),
    ("status_not_written", &["detail"]),
    ("sync_status", &[]),
    ("b24_mapped", &[]),
    ("fingerprints", &[]),
    ("client_if_missing", &[]),
    ("b24_gone", &[]),
    ("before_start_date", &["date"]),
    ("not_a_subscription", &[]),
    ("nothing_supported", &[]),
    ("deal_branch_not_supported", &[]),
    ("pupil_name_empty", &[]),
    ("pupil_last_name_empty", &["other"]),
    ("pupil_first_name_empty", &["other"]),
    ("parent_name_empty", &[]),
    ("parent_last_name_empty", &["other"]),
    ("parent_first_name_empty", &["other"]),
    ("phone_empty", &[]),
    ("contact_phone_unreadable", &["value"]),
    ("product_empty", &[]),
    ("branch_empty", &[]),
    ("birthdate_unreadable", &["value"]),
    ("otmechalka_id_missing", &["name"]),
    ("deal_branch_empty", &[]),
    ("deal_branch_several", &["branches"]),
    ("deal_without_contact", &[]),
    ("deal_contact_not_found", &["contact"]),
    ("deal_rows_unread", &["detail"]),
    ("deal_without_row", &[]),
    ("deal_several_rows", &["rows"]),
    ("ticket_type_empty", &[]),
    ("deal_quantity", &["value"]),
    ("deal_not_roubles", &["currency"]),
    ("deal_price_unreadable", &["field", "value"]),
    ("deal_prices_do_not_add_up", &["discount", "final", "initial"]),
    ("sale_date_empty", &[]),
    ("sale_date_unreadable", &["value"]),
    ("employee_not_found", &["id"]),
    ("employee_without_name", &["id"]),
    ("client_too_old", &["contact", "date"]),
    ("client_not_sent", &["contact", "why"]),
    ("otmechalka_refused", &["detail"]),
    ("otmechalka_limit", &["detail"]),
    ("answer_lost", &[]),
    ("value-not-kept", &["detail"]),
    ("order_new", &[]),
    ("order_flagged", &["fields"]),
    ("order_changed", &[]),
    ("order_before_since", &["placed", "since"]),
    ("order_without_id", &[]),
    ("order_unusable", &["field"]),
    ("order_field", &["from"]),
    ("order_field_default", &[]),
    ("order_field_missing", &["field"]),
    ("order_fingerprint", &[]),
    ("order_text", &[]),
    ("onebox_setting", &[]),
    ("onebox_doubled", &["orders"]),
    ("onebox_order_gone", &[]),
    ("recipient_is_customer", &[]),
    ("name_ambiguous", &["value"]),
    ("name_lookalikes", &["value"]),
    ("name_latin", &["value"]),
    ("name_not_ukrainian", &["value"]),
    ("name_too_long", &["value"]),
    ("phone_foreign", &["value"]),
    ("phone_unreadable", &["value"]),
    ("phone_without_code", &["value"]),
    ("phone_operator_unknown", &["value"]),
    ("np_number_unreadable", &["value"]),
    ("np_ref_unreadable", &["value"]),
    ("np_number_disagrees", &["number", "text"]),
    ("money_unreadable", &["value"]),
    ("quantity_unreadable", &["value"]),
    ("time_unreadable", &["value"]),
    ("order_text_look", &[]),
    ("order_text_recipient", &["value"]),
    ("order_text_delivery", &["value"]),
    ("order_text_buyer", &["value"]),
    ("order_text_payment", &["value"]),
    ("order_text_note", &["value"]),
    ("hooks_dealt_with", &[]),
    ("hook_asked", &[]),
    ("shop_transition", &["actions"]),
    ("hook_waits_for_order", &[]),
    ("hook_waits_for_onebox", &[]),
    ("hook_action_unknown", &["action"]),
    ("bad_ttn", &["ttn"]),
    ("transition_not_possible", &["action", "machine", "state"]),
    ("remote-rejected", &["detail"]),
    ("remote-unavailable", &["detail"]),
    ("remote-protocol", &["detail"]),
];

fn source(lang: Lang) -> String {
    std::fs::read_to_string(format!("{}/src/domain/text/locales/{}/reasons.ftl", env!("CARGO_MANIFEST_DIR"), lang.tag())).unwrap()
}

/// (code, names of the values its sentence uses), as the file has them.
fn messages(lang: Lang) -> Vec<(String, BTreeSet<String>)> {
    source(lang)
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(|line| {
            let (code, sentence) = line.split_once(" = ").unwrap_or_else(|| panic!("{}: {line}", lang.tag()));
            let used = sentence.split("{ $").skip(1).filter_map(|rest| rest.split_once(" }").map(|(name, _)| name.to_owned())).collect();
            (code.to_owned(), used)
        })
        .collect()
}

#[test]
fn all_languages_have_the_same_sentences_with_the_same_values() {
    let english = messages(Lang::En);
    for lang in Lang::ALL {
        assert_eq!(messages(lang), english, "{}", lang.tag());
    }
    let known = CODES
        .iter()
        .map(|(code, values)| ((*code).to_owned(), values.iter().map(|value| (*value).to_owned()).collect()))
        .collect::<Vec<_>>();
    assert_eq!(english, known);
}

#[test]
fn every_sentence_shows_its_values_in_every_language() {
    for (code, values) in CODES {
        let params = values.iter().map(|value| ((*value).to_owned(), format!("<{value}>"))).collect::<BTreeMap<_, _>>();
        let texts = Lang::ALL.map(|lang| reason_text(lang, code, &params));
        for text in &texts {
            assert_ne!(text, code);
            assert!(!text.contains('$') && !text.contains('\u{2068}'), "{text}");
            assert!(values.iter().all(|value| text.contains(&format!("<{value}>"))), "{text}");
        }
        assert_eq!(texts.iter().collect::<BTreeSet<_>>().len(), 4, "{code} is not translated");
    }
}

#[test]
fn uzbek_is_in_latin_script_and_the_others_in_their_own() {
    let cyrillic = |text: &str| text.chars().any(|letter| ('\u{400}'..='\u{4ff}').contains(&letter));
    for (code, values) in CODES {
        let params = values.iter().map(|value| ((*value).to_owned(), "1".to_owned())).collect::<BTreeMap<_, _>>();
        let text = |lang| reason_text(lang, code, &params);
        assert!(!cyrillic(&text(Lang::Uz)) && !cyrillic(&text(Lang::En)), "{code}");
        assert!(cyrillic(&text(Lang::Ru)) && cyrillic(&text(Lang::Uk)), "{code}");
    }
}

#[test]
fn an_unknown_code_and_a_missing_value_leave_no_hole() {
    assert_eq!(reason_text(Lang::Ru, "some_future_code", &BTreeMap::new()), "some_future_code");
    assert_eq!(reason_text(Lang::En, "no_price", &BTreeMap::new()), "no_price");
}

#[test]
fn languages_are_negotiated_as_browsers_ask() {
    for (header, lang) in [
        (None, Lang::En),
        (Some(""), Lang::En),
        (Some("ru-RU,ru;q=0.9,en;q=0.8"), Lang::Ru),
        (Some("uz-Latn-UZ"), Lang::Uz),
        (Some("de, uk;q=0.5, en;q=0.4"), Lang::Uk),
        (Some("en;q=0.1, ru;q=0.2"), Lang::Ru),
        (Some("ru;q=0, *;q=0.5"), Lang::En),
        (Some("ru;q=banana"), Lang::Ru),
        (Some("\u{1f980};;;=,,,"), Lang::En),
    ] {
        assert_eq!(Lang::negotiate(header), lang, "{header:?}");
    }
}

#[test]
fn pages_have_their_words_in_every_language() {
    let words = |lang: Lang| {
        let file = format!("{}/src/domain/text/locales/{}/pages.ftl", env!("CARGO_MANIFEST_DIR"), lang.tag());
        let text = std::fs::read_to_string(file).unwrap();
        text.lines()
            .filter_map(|line| line.split_once(" = ").map(|(name, words)| (name.to_owned(), words.contains("{ $"))))
            .collect::<Vec<_>>()
    };
    let values = BTreeMap::from(["run", "name"].map(|name| (name.to_owned(), "x".to_owned())));
    for lang in Lang::ALL {
        assert_eq!(words(lang), words(Lang::En), "{}", lang.tag());
        for (name, _) in words(lang) {
            assert!(!sentence(lang, &name, &values).starts_with("page_"), "{} {name}", lang.tag());
        }
    }
    assert_eq!(sentence(Lang::Uk, "page_pull", &BTreeMap::new()), "Завантажити замовлення зараз");
}

#[test]
fn a_report_as_a_table_has_its_titles_in_every_language() {
    let titles = |lang: Lang| {
        let file = format!("{}/src/domain/text/locales/{}/report.ftl", env!("CARGO_MANIFEST_DIR"), lang.tag());
        let text = std::fs::read_to_string(file).unwrap();
        text.lines().filter_map(|line| line.split_once(" = ").map(|(name, _)| name.to_owned())).collect::<Vec<_>>()
    };
    for lang in Lang::ALL {
        assert_eq!(titles(lang), titles(Lang::En), "{}", lang.tag());
        assert!(titles(lang).iter().all(|name| !report_title(lang, name.trim_start_matches("report_")).starts_with("report_")));
    }
    assert_eq!(report_title(Lang::Ru, "outcome"), "Итог");
}
